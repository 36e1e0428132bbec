// Every combination of what a start can find has one verdict, and no way through the table sells what is sold.
#include "node/start.h"

#include <array>
#include <cstddef>
#include <map>

#include <doctest/doctest.h>  // last: its CHECK is the one that tests mean

namespace stampede::node {
namespace {

using std::size_t;

constexpr std::array kDirectories = {Directory::fresh,        Directory::own,
                                     Directory::after_loss,   Directory::half_reshard,
                                     Directory::another_node, Directory::another_machine,
                                     Directory::newer_version};
constexpr std::array kManifests = {ManifestState::sound, ManifestState::damaged,
                                   ManifestState::missing};
constexpr std::array kLogs = {Log::whole,       Log::torn,       Log::damaged,
                              Log::rolled_back, Log::impossible, Log::unnamed};
constexpr std::array kSnapshots = {SnapshotState::sound, SnapshotState::passed_over,
                                   SnapshotState::lost};
constexpr std::array kDatabases = {DatabaseState::none,     DatabaseState::away,
                                   DatabaseState::no_file,  DatabaseState::fresh,
                                   DatabaseState::own,      DatabaseState::older,
                                   DatabaseState::outdated, DatabaseState::ahead,
                                   DatabaseState::foreign,  DatabaseState::newer_generation};
constexpr std::array kLedgers = {LedgerState::embedded, LedgerState::open,     LedgerState::away,
                                 LedgerState::left,     LedgerState::stranger, LedgerState::fenced};

// The last value of each, so that one that is added is walked too.
static_assert(kDirectories.size() == size_t(Directory::newer_version) + 1);
static_assert(kManifests.size() == size_t(ManifestState::missing) + 1);
static_assert(kLogs.size() == size_t(Log::unnamed) + 1);
static_assert(kSnapshots.size() == size_t(SnapshotState::lost) + 1);
static_assert(kDatabases.size() == size_t(DatabaseState::newer_generation) + 1);
static_assert(kLedgers.size() == size_t(LedgerState::fenced) + 1);

template <typename Visit>
void for_each_combination(Visit visit) {
  for (const Directory directory : kDirectories)
    for (const ManifestState manifest : kManifests)
      for (const Log log : kLogs)
        for (const SnapshotState snapshot : kSnapshots)
          for (const DatabaseState database : kDatabases)
            for (const LedgerState ledger : kLedgers)
              for (const int flags : {0, 1, 2, 3})
                visit(Evidence{.directory = directory,
                               .manifest = manifest,
                               .log = log,
                               .snapshot = snapshot,
                               .database = database,
                               .ledger = ledger,
                               .accepts_loss = (flags & 1) != 0,
                               .is_resharded = (flags & 2) != 0});
}

// How many combinations that the rule is about break it.
template <typename Applies, typename Holds>
void check_rule(Applies applies, Holds holds) {
  size_t applied = 0, broken = 0;
  for_each_combination([&](const Evidence& found) {
    if (!applies(found)) return;
    ++applied;
    broken += !holds(found, judge(found));
  });
  CHECK(applied > 0);
  CHECK(broken == 0);
}

bool goes_on(const Verdict& verdict) {
  return verdict.course != Course::refuse;
}

// Acknowledged orders are gone from the log, as far as anybody can see.
bool has_lost(const Evidence& found) {
  return found.log == Log::damaged || found.log == Log::rolled_back ||
         found.database == DatabaseState::ahead || found.database == DatabaseState::foreign;
}

}  // namespace

TEST_SUITE("node/start") {
  TEST_CASE("every combination has one verdict with the exit code that operators know") {
    size_t combinations = 0;
    std::map<Course, size_t> courses;
    std::map<Reason, size_t> reasons;
    for_each_combination([&](const Evidence& found) {
      ++combinations;
      const Verdict verdict = judge(found);
      ++courses[verdict.course];
      ++reasons[verdict.reason];
      const bool is_refused = verdict.course == Course::refuse;
      REQUIRE((verdict.exit_code == kExitOk) == !is_refused);
      if (is_refused) REQUIRE(verdict.reason != Reason::all_fits);
      if (is_refused)
        REQUIRE((verdict.exit_code == kExitLogDamaged || verdict.exit_code == kExitUsage ||
                 verdict.exit_code == kExitFailure));
      if (verdict.course == Course::deal_out_anew) REQUIRE(verdict.reason == Reason::all_fits);
    });
    CHECK(combinations == 7 * 3 * 6 * 3 * 10 * 6 * 4);
    // No line of the table is dead.
    CHECK(courses.size() == size_t(Course::refuse) + 1);
    CHECK(reasons.size() == size_t(Reason::reshard_without_database) + 1);
  }

  TEST_CASE("damage never goes on without a word of the operator") {
    check_rule([](const Evidence& found) { return has_lost(found) && !found.accepts_loss; },
               [](const Evidence&, const Verdict& verdict) { return !goes_on(verdict); });
  }

  TEST_CASE("a loss that is accepted goes on only with every item paused") {
    check_rule([](const Evidence& found) { return has_lost(found); },
               [](const Evidence&, const Verdict& verdict) {
                 return !goes_on(verdict) || verdict.course == Course::go_on_after_loss;
               });
  }

  TEST_CASE("no flag helps what nothing can replace") {
    check_rule(
        [](const Evidence& found) {
          return found.log == Log::impossible || found.log == Log::unnamed ||
                 found.snapshot == SnapshotState::lost ||
                 found.database == DatabaseState::no_file ||
                 found.database == DatabaseState::newer_generation ||
                 found.database == DatabaseState::outdated ||
                 found.manifest == ManifestState::damaged || found.ledger == LedgerState::fenced;
        },
        [](const Evidence&, const Verdict& verdict) { return !goes_on(verdict); });
  }

  TEST_CASE("a database that has more than the log never goes on as if nothing had happened") {
    check_rule(
        [](const Evidence& found) {
          return found.database == DatabaseState::ahead ||
                 found.database == DatabaseState::newer_generation || found.log == Log::rolled_back;
        },
        [](const Evidence&, const Verdict& verdict) {
          return verdict.course != Course::go_on && verdict.course != Course::deal_out_anew;
        });
  }

  TEST_CASE("a database older than the log keeps is completed and no other one is") {
    check_rule([](const Evidence& found) { return found.database == DatabaseState::older; },
               [](const Evidence& found, const Verdict& verdict) {
                 // Alone it refuses nothing: what does would refuse without it, and what is lost is lost all the same.
                 Evidence without = found;
                 without.database = DatabaseState::own;
                 const Verdict other = judge(without);
                 if (other.course == Course::go_on)
                   return verdict.course == Course::go_on_and_complete;
                 return verdict == other;
               });
    check_rule(
        [](const Evidence& found) { return judge(found).course == Course::go_on_and_complete; },
        [](const Evidence& found, const Verdict& verdict) {
          return found.database == DatabaseState::older && !found.is_resharded &&
                 !has_lost(found) && verdict.reason == Reason::database_older;
        });
  }

  TEST_CASE("only this node's own directory or a fresh one is sold from") {
    check_rule(
        [](const Evidence& found) {
          return found.directory == Directory::another_node ||
                 found.directory == Directory::another_machine ||
                 found.directory == Directory::newer_version;
        },
        [](const Evidence&, const Verdict& verdict) { return !goes_on(verdict); });
    check_rule(
        [](const Evidence& found) {
          return found.manifest == ManifestState::missing && found.directory != Directory::fresh;
        },
        [](const Evidence&, const Verdict& verdict) { return !goes_on(verdict); });
  }

  TEST_CASE("a loss is not forgotten before its start has got to its end") {
    check_rule([](const Evidence& found) { return found.directory == Directory::after_loss; },
               [](const Evidence&, const Verdict& verdict) {
                 return !goes_on(verdict) || verdict.course == Course::go_on_after_loss;
               });
  }

  TEST_CASE("orders are dealt out anew only from a whole log that the database can have") {
    check_rule([](const Evidence& found) { return judge(found).course == Course::deal_out_anew; },
               [](const Evidence& found, const Verdict&) {
                 return found.is_resharded && !has_lost(found) &&
                        (found.log == Log::whole || found.log == Log::torn) &&
                        found.database != DatabaseState::away;
               });
  }

  TEST_CASE("after a loss the ids that were given are known before one is given") {
    check_rule(
        [](const Evidence& found) { return judge(found).course == Course::go_on_after_loss; },
        [](const Evidence& found, const Verdict&) {
          return found.database != DatabaseState::away;
        });
  }

  TEST_CASE("a database or a registry that is away does not end a sale") {
    CHECK(judge({.database = DatabaseState::away}).course == Course::go_on);
    CHECK(judge({.ledger = LedgerState::away}).course == Course::go_on);
    CHECK(judge({.log = Log::torn}).course == Course::go_on);
    CHECK(judge({.snapshot = SnapshotState::passed_over}).course == Course::go_on);
    CHECK(judge({.directory = Directory::half_reshard}).course == Course::go_on);
  }

  TEST_CASE("a fresh directory begins and an old database beside it is noticed") {
    const Evidence fresh{.directory = Directory::fresh, .manifest = ManifestState::missing};
    CHECK(judge(fresh).course == Course::go_on);
    Evidence beside_old = fresh;
    beside_old.database = DatabaseState::ahead;
    CHECK(judge(beside_old) == refuse(Reason::database_ahead));
  }
}

}  // namespace stampede::node
