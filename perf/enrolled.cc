// What a list of a million enrolled users costs: reading it, its memory, and a look of users who stand in it and of strangers.
//
//   make perf && build/release/enrolled
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <random>
#include <string>
#include <vector>

#include "door/enrolment.h"

using namespace stampede;

namespace {

constexpr HashKey kKey{1, 2, 3, 4};
constexpr size_t kUsers = 1'000'000;

// Of this thread: a busy machine does not count.
double cpu_ns() {
  timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return time.tv_sec * 1e9 + time.tv_nsec;
}

struct Asked {
  std::string user;
  uint64_t hash;
};

// With the hash, which the door has computed anyway, and without.
void measure(const char* what, const door::UserSet& set, std::vector<Asked> asked) {
  std::ranges::shuffle(asked, std::mt19937_64(1));
  std::vector<double> rounds;
  size_t found = 0;
  for (int round = 0; round < 9; ++round) {
    const double began_ns = cpu_ns();
    for (const Asked& one : asked) found += set.contains(one.user, one.hash);
    rounds.push_back((cpu_ns() - began_ns) / asked.size());
  }
  std::ranges::sort(rounds);
  std::printf("%-10s %6.0f ns a look, %zu of %zu found\n", what, rounds[rounds.size() / 2],
              found / rounds.size(), asked.size());
}

}  // namespace

int main() {
  std::mt19937_64 random(1);
  std::string text;
  std::vector<Asked> members, strangers;
  for (size_t i = 0; i < kUsers; ++i) {
    for (auto* list : {&members, &strangers}) {
      std::string user = (list == &members ? "user-" : "buyer-") + std::to_string(random());
      const uint64_t hash = keyed_hash(kKey, user);
      list->push_back({std::move(user), hash});
    }
    text += members.back().user + "\n";
  }
  const double began_ns = cpu_ns();
  const Result<door::UserSet> set = door::UserSet::parse(text, "members.txt", kKey);
  if (!set) return 1;
  std::printf("%zu users, %zu MB of text: read in %.2f s, %zu MB\n", set->size(), text.size() >> 20,
              (cpu_ns() - began_ns) / 1e9, set->bytes() >> 20);
  measure("members", *set, members);
  measure("strangers", *set, strangers);
}
