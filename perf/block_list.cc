// What a look into the lists of blocked users and addresses costs, with a million entries of each kind and ten thousand words of
// operators beside them. Prints nanoseconds of CPU time a look, medians of nine rounds: strangers, who are nearly everybody, and the blocked.
//
//   make perf && build/release/block_list
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <random>

#include "door/block_list.h"

using namespace stampede::door;

namespace {

constexpr size_t kEntries = 1'000'000, kWords = 10'000, kLooks = 1'000'000;

// Of this thread: a busy machine does not count.
double cpu_ns() {
  timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return time.tv_sec * 1e9 + time.tv_nsec;
}

// Neighbours in the list are far apart in the questions, so that caches help as little as they do a server.
template <typename Ask, typename Look>
void measure(const char* what, const std::vector<Ask>& asks, Look look) {
  std::vector<double> rounds;
  size_t found = 0;
  for (int round = 0; round < 9; ++round) {
    const double began_ns = cpu_ns();
    for (const Ask& ask : asks) found += look(ask);
    rounds.push_back((cpu_ns() - began_ns) / asks.size());
  }
  std::ranges::sort(rounds);
  std::printf("%-22s %6.0f ns a look, %zu of %zu found\n", what, rounds[rounds.size() / 2],
              found / rounds.size(), asks.size());
}

std::string text_for(std::mt19937_64& random, const char* kind) {
  return kind + std::to_string(random());
}

Network address_for(std::mt19937_64& random) {
  return {.bits = random() << 32, .length = 32};
}

}  // namespace

int main() {
  std::mt19937_64 random(1);
  std::vector<std::string> blocked, strangers;
  std::vector<Network> blocked_at, strangers_at;
  for (size_t i = 0; i < kEntries; ++i) {
    blocked.push_back(text_for(random, "user-"));
    blocked_at.push_back(address_for(random));
  }
  for (size_t i = 0; i < kLooks; ++i) {
    strangers.push_back(text_for(random, "buyer-"));
    strangers_at.push_back(address_for(random));
  }
  const auto list = [&](size_t first, size_t count) {
    std::vector<UserWord> users;
    std::vector<NetworkWord> networks;
    for (size_t i = first; i < first + count; ++i) {
      users.push_back({blocked[i]});
      Network network = blocked_at[i];
      if (i % 4 == 0) network = network.of_length(24);
      networks.push_back({network});
    }
    return std::make_shared<const BlockList>(users, networks, random());
  };
  const double began_ns = cpu_ns();
  const Blocked both{list(0, kEntries), list(0, kWords)};
  const double took_s = (cpu_ns() - began_ns) / 1e9;
  std::printf("%zu users and %zu networks: %zu MB, made in %.2f s\n", both.file->users(),
              both.file->networks(), both.file->bytes() >> 20, took_s);
  std::ranges::shuffle(blocked, random);
  std::ranges::shuffle(blocked_at, random);
  measure("users, strangers", strangers, [&](const auto& user) { return both.has_user(user); });
  measure("users, blocked", blocked, [&](const auto& user) { return both.has_user(user); });
  measure("addresses, strangers", strangers_at,
          [&](const auto& address) { return both.has_address(address); });
  measure("addresses, blocked", blocked_at,
          [&](const auto& address) { return both.has_address(address); });
}
