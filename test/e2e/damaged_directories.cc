// No damaged, swapped, missing, linked, unreadable or old file of a data directory loses or doubles an order silently: a
// start either refuses with 78 and names the file, or everything that was acknowledged is still true.
//
//   SEED=n ROUNDS=1000   that many directories, each damaged in one way

#include <doctest/doctest.h>
#include <grp.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <mutex>
#include <thread>

#include "damage/damage.h"
#include "damage/sold.h"
#include "harness/random.h"

namespace stampede::e2e {
namespace {

namespace fs = std::filesystem;

constexpr int kAtOnce = 2;

bool is_of_database(const Damage& damage) {
  return std::any_of(damage.places.begin(), damage.places.end(),
                     [](const std::string& place) { return place.starts_with("orders.db"); });
}

// The place itself, what lies in it, or the directory that it was in: an older copy of a segment is not wrong in itself,
// but its stream ends too early.
bool names_place(const std::string& complaint, const std::string& data, const Damage& damage) {
  const auto is_named = [&](const std::string& place) {
    const std::string path = data + "/" + place, dir = fs::path(path).parent_path();
    return complaint.find(path) != complaint.npos ||
           (dir != data && complaint.find(dir + " ") != complaint.npos);
  };
  return std::any_of(damage.places.begin(), damage.places.end(), is_named);
}

std::string wrong_refusal(const Server& server, int code, const Damage& damage) {
  const std::string complaint = server.complaint();
  const std::string said = "refused with " + std::to_string(code) + ": " + complaint;
  // A database that cannot be opened, and a lock that cannot be taken, are no damage of the log.
  if (code != 78 && !(code == 1 && is_of_database(damage))) return said;
  if (is_of_database(damage)) return complaint.find("database") != complaint.npos ? "" : said;
  return names_place(complaint, server.data(), damage) ? "" : "not named, " + said;
}

// Nothing is forbidden to root: the server has a user of its own, whose the directory is.
constexpr uid_t kUser = 65534;

void become_user() {
  if (::setgroups(0, nullptr) != 0 || ::setresgid(kUser, kUser, kUser) != 0 ||
      ::setresuid(kUser, kUser, kUser) != 0)
    ::_exit(70);
}

void give_to_user(const std::string& directory) {
  REQUIRE(::lchown(directory.c_str(), kUser, kUser) == 0);
  for (const auto& entry : fs::recursive_directory_iterator(directory))
    REQUIRE(::lchown(entry.path().c_str(), kUser, kUser) == 0);
}

// Where that user may execute it.
std::string binary_for_user() {
  static const Scratch scratch;
  const std::string path = scratch.path("stampede");
  if (fs::exists(path)) return path;
  fs::copy_file(stampede_path(), path);
  fs::permissions(scratch.path(), fs::perms::owner_all | fs::perms::others_exec);
  fs::permissions(path, fs::perms::owner_all | fs::perms::others_exec | fs::perms::others_read);
  return path;
}

// One directory, damaged in one way; what went wrong, with the seed and the damage.
std::string try_one(const Sold& sold, const OtherFiles& others, uint64_t seed, bool& is_refused) {
  ServerOptions options = sold.options;
  options.starts = false;
  const bool is_root = ::geteuid() == 0;
  if (is_root) options.binary = binary_for_user();
  if (is_root) options.prepare = become_user;
  Server server(options);
  fs::copy(sold.data, server.data(), fs::copy_options::recursive);
  const Damage damage = inflict(server.data(), others, seed);
  // The files that a start brings along are the user's, too.
  write_file(server.scratch().path("catalog.json"), options.catalog);
  if (is_root) give_to_user(server.scratch().path());
  const std::optional<int> code = server.try_start();
  is_refused = code.has_value();
  const std::string wrong = code ? wrong_refusal(server, *code, damage)
                                 : what_is_wrong(server, sold, !is_of_database(damage));
  if (wrong.empty()) return "";
  return sold.name + ", SEED of the case " + std::to_string(seed) + ": " + damage.words + ": " +
         wrong + "\n" + server.complaint();
}

struct Tally {
  std::atomic<int> next{0}, refused{0}, harmless{0};
  std::mutex mutex;
  std::vector<std::string> wrong;  // guarded
};

void try_some(const std::vector<Sold>& templates, uint64_t first_seed, int count, Tally& tally) {
  for (int i; (i = tally.next.fetch_add(1)) < count;) {
    const Sold& sold = templates[i % templates.size()];
    const Sold& foreign = templates[(i + 1) % templates.size()];
    bool is_refused = false;
    std::string wrong;
    try {
      wrong = try_one(sold, {sold.older, foreign.data}, first_seed + i, is_refused);
    } catch (...) {  // a failed check of the harness
      wrong = sold.name + ", SEED of the case " + std::to_string(first_seed + i) +
              ": the server stopped answering";
    }
    (is_refused ? tally.refused : tally.harmless).fetch_add(1);
    if (wrong.empty()) continue;
    const std::lock_guard lock(tally.mutex);
    std::fprintf(stderr, "%s\n", wrong.c_str());  // at once: a long run may be ended from outside
    tally.wrong.push_back(wrong);
  }
}

TEST_SUITE("e2e/damaged_directories") {
  TEST_CASE("what is no file has the name of one and every command says so and waits for nothing") {
    Server server({.catalog = catalog({{}})});
    server.buy({.user = "u1"});
    REQUIRE(server.wait_drained());
    REQUIRE(server.terminate() == 0);
    const std::string sound = server.scratch().path("sound");
    fs::copy(server.data(), sound, fs::copy_options::recursive);
    const Arguments start = server.command();
    Arguments check(start.begin() + 1, start.end());
    check.emplace_back("--check");
    for (const char* name :
         {"lock", "manifest", "log", "log/g1", "log/g1/s0", "log/g1/s0/0000000001.log", "orders.db",
          "orders.db-wal", "orders.db-shm", "orders.db-journal"})
      for (const Kind kind : kKinds) {
        fs::remove_all(server.data());
        fs::copy(sound, server.data(), fs::copy_options::recursive);
        const std::string path = server.data() + "/" + name;
        const std::string words = put_in_place(path, kind);
        if (words.empty() || (fs::is_directory(sound + "/" + name) && kind == Kind::directory))
          continue;
        CAPTURE(name);
        CAPTURE(words);
        CHECK(server.start_and_fail() == 78);
        CHECK_MESSAGE(server.complaint().find(path) != std::string::npos, server.complaint());
        const bool is_lock = path.ends_with("/lock");
        const Finished checked = run_stampede(check);
        CHECK(checked.exit_code == (is_lock ? 0 : 78));  // which takes none
        const Finished drained = run_stampede({"drain", "--data", server.data()});
        CHECK(drained.exit_code == 78);
        // They end.
        (void)run_stampede({"log", "inspect", "--data", server.data()});
        (void)run_stampede({"audit", "--data", server.data()});
      }
  }

  TEST_CASE(
      "a directory damaged in any way is refused with the file or sells on as if nothing was") {
    const std::vector<Sold> templates = {one_shard(), three_after_two(), after_accepted_loss(),
                                         killed(), without_database()};
    if (::geteuid() == 0) (void)binary_for_user();  // before there are threads
    const uint64_t first_seed = seed();
    const int count = rounds(100);
    INFO("seed " << first_seed);
    Tally tally;
    std::vector<std::thread> threads;
    for (int i = 0; i < kAtOnce; ++i)
      threads.emplace_back([&] { try_some(templates, first_seed, count, tally); });
    for (std::thread& thread : threads) thread.join();
    MESSAGE(count << " directories damaged: " << tally.refused.load() << " refused, "
                  << tally.harmless.load() << " harmless");
    for (const std::string& wrong : tally.wrong) FAIL_CHECK(wrong);
    CHECK(tally.refused > count / 10);
    CHECK(tally.harmless > count / 10);
  }
}

}  // namespace
}  // namespace stampede::e2e
