// Explores the model: the protocol keeps its promises in every world of each scenario, and each planted fault is found.
//
//   ledger_model                  the quick scenarios and all faults, as `make test` runs them
//   ledger_model --no-skip        the deep ones too (`make model`)
//   ledger_model -s               says what each case found: a planted fault's shortest trace
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

#include <cstdlib>
#include <random>
#include <string>

#include "search.h"

namespace stampede::model {
namespace {

constexpr size_t kQuickWorldsMax = 5'000'000;
constexpr size_t kDeepWorldsMax = 150'000'000;

void check_all_worlds(const Rules& rules, size_t worlds_max = kQuickWorldsMax) {
  Finding finding = search_all(rules, worlds_max);
  INFO(finding.text());
  CHECK(finding.broken.empty());
  CHECK(finding.is_complete);
}

void check_walks(const Rules& rules, size_t steps) {
  const char* given = std::getenv("SEED");
  uint64_t seed = given ? std::strtoull(given, nullptr, 10) : std::random_device()();
  Finding finding = search_at_random(rules, seed, steps, 300);
  INFO("SEED=" << seed << ": " << finding.text());
  CHECK(finding.broken.empty());
}

// Only the promise that the fault endangers may be what breaks.
void check_is_found(Planted planted, const std::string& promise, Rules rules) {
  rules.planted = planted;
  rules.has_rest = false;
  Finding finding = search_all(rules, kQuickWorldsMax);
  INFO(finding.text());
  CHECK(finding.broken == promise);
}

// The smallest worlds in which something can go wrong; each case adds what its subject needs.
Rules smallest() {
  Rules rules;
  rules.epochs = 2;
  rules.disasters = 0;
  rules.accepted_max = rules.calls_max = 1;
  rules.returned_max = 0;
  rules.has_sold_out = false;
  return rules;
}

Rules with_sold_out(Rules rules) {
  rules.has_sold_out = true;
  rules.returned_max = 1;
  rules.calls_max = 2;
  return rules;
}

Rules with_disaster(Rules rules) {
  rules.disasters = 1;
  return rules;
}

Rules with_crash(Rules rules) {
  rules.crashes = 1;
  return rules;
}

Rules with_operators(Rules rules) {
  rules.has_operators = true;
  return rules;
}

Rules with_death(Rules rules) {
  rules.deaths = 1;
  rules.epochs = 3;
  return with_operators(rules);
}

Rules with_third_epoch(Rules rules) {
  rules.epochs = 3;
  return rules;
}

Rules with_two_units(Rules rules) {
  rules.supply = 2;
  rules.accepted_max = 2;
  return rules;
}

Rules with_everything() {
  Rules rules;
  rules.supply = 2;
  rules.restocks = 1;
  rules.epochs = 8;
  rules.disasters = 4;
  rules.crashes = 3;
  rules.deaths = 1;
  rules.accepted_max = 4;
  rules.returned_max = 3;
  rules.calls_max = 8;
  rules.has_operators = rules.has_late_calls = true;
  return rules;
}

constexpr const char* kOversold = "OVERSOLD";
constexpr const char* kSoldOutLie = "`sold_out` was said while a unit was left";
constexpr const char* kInactiveAccepted = "an inactive node accepted a grant";
constexpr const char* kPresumedTooLow = "an inactive node holds more than it was presumed to";
constexpr const char* kTooManyHeld = "an open epoch counts more units held than supplied";

}  // namespace

TEST_SUITE("model/protocol") {
  TEST_CASE("no order of calls and returns and expiries breaks a promise") {
    check_all_worlds(with_two_units(with_sold_out(smallest())));
  }

  TEST_CASE("a Redis that loses or forks its state breaks no promise") {
    Rules rules = with_disaster(with_sold_out(smallest()));
    rules.calls_max = 1;
    check_all_worlds(rules);
    rules = with_third_epoch(with_disaster(smallest()));
    rules.accepted_max = 2;
    check_all_worlds(rules);
  }

  TEST_CASE("nodes that restart break no promise") {
    check_all_worlds(with_crash(with_disaster(smallest())));
    Rules rules = with_crash(with_sold_out(smallest()));
    rules.accepted_max = 2;
    check_all_worlds(rules);
  }

  TEST_CASE("calls that arrive after newer ones break no promise") {
    Rules rules = with_crash(with_sold_out(smallest()));
    rules.epochs = 1;
    rules.has_late_calls = true;
    check_all_worlds(rules);
  }

  TEST_CASE("nodes that are taken for dead break no promise") {
    check_all_worlds(with_operators(with_disaster(smallest())));
    check_all_worlds(with_operators(with_crash(smallest())));
    Rules rules = with_operators(with_sold_out(smallest()));
    rules.accepted_max = 2;
    check_all_worlds(rules);
  }

  TEST_CASE("nodes that die and are reclaimed break no promise") {
    check_all_worlds(with_death(smallest()));
  }

  TEST_CASE("units that are added break no promise") {
    Rules rules = with_disaster(with_sold_out(smallest()));
    rules.restocks = 1;
    rules.calls_max = 1;
    check_all_worlds(rules);
  }

  TEST_CASE("long random walks break no promise") {
    check_walks(with_everything(), 500'000);
  }
}

TEST_SUITE("model/planted") {
  TEST_CASE("scripts that do not check identity are found") {
    check_is_found(Planted::no_identity_check, kOversold, with_disaster(smallest()));
  }

  TEST_CASE("an epoch without a barrier is found") {
    check_is_found(Planted::no_barrier, kOversold, with_disaster(smallest()));
  }

  TEST_CASE("a JOIN that takes the maximum is found") {
    check_is_found(Planted::join_takes_max, kOversold, with_third_epoch(with_disaster(smallest())));
  }

  TEST_CASE("epochs that are not unique are found") {
    check_is_found(Planted::epochs_not_unique, kOversold,
                   with_third_epoch(with_disaster(smallest())));
  }

  TEST_CASE("an accepted reply of an old epoch is found") {
    check_is_found(Planted::old_reply_accepted, kOversold, with_disaster(smallest()));
  }

  TEST_CASE("a late JOIN that overwrites is found") {
    check_is_found(Planted::late_join_overwrites, kOversold, smallest());
  }

  TEST_CASE("a return that is told before it is durable is found") {
    check_is_found(Planted::return_before_durable, kOversold,
                   with_crash(with_sold_out(smallest())));
  }

  TEST_CASE("a grant that is sold before it is durable is found") {
    check_is_found(Planted::grant_before_durable,
                   "customers hold units that the log of their node does not have", smallest());
  }

  TEST_CASE("a JOIN that keeps the pool is found") {
    check_is_found(Planted::join_keeps_pool, kSoldOutLie, with_disaster(with_sold_out(smallest())));
  }

  TEST_CASE("a repeated call that counts its pool again is found") {
    check_is_found(Planted::repeat_counts_pool, kSoldOutLie, with_sold_out(smallest()));
  }

  TEST_CASE("a repeated call that is granted again is found") {
    check_is_found(Planted::repeat_counts_want, "a stream got more than it asked for",
                   with_two_units(smallest()));
  }

  TEST_CASE("a fence that does not hold is found") {
    check_is_found(Planted::fence_does_not_hold, kInactiveAccepted, with_operators(smallest()));
  }

  TEST_CASE("a deactivation that ignores the entered epoch is found") {
    check_is_found(Planted::deactivate_unchecked, kInactiveAccepted, with_operators(smallest()));
  }

  TEST_CASE("a presumption about a node that is still heard is found") {
    Rules rules = with_operators(with_disaster(smallest()));
    rules.returned_max = 1;  // the other gives back what the node is granted after that
    rules.calls_max = 2;
    check_is_found(Planted::presume_does_not_hold, kPresumedTooLow, rules);
  }

  TEST_CASE("a presumption before all others have joined is found") {
    check_is_found(Planted::presume_too_early, kTooManyHeld,
                   with_third_epoch(with_operators(with_disaster(smallest()))));
  }

  TEST_CASE("units that are freed where only the one presumed lost is heard are found") {
    Rules rules = with_death(with_disaster(smallest()));
    rules.epochs = 2;
    check_is_found(Planted::settle_anywhere, kPresumedTooLow, rules);
  }

  TEST_CASE("a presumption by a plan that is out of date is found") {
    check_is_found(Planted::presume_outdated, kPresumedTooLow, with_death(smallest()));
  }

  TEST_CASE("a lost node whose units come back at once is found") {
    check_is_found(Planted::reclaim_at_once, kOversold, with_death(smallest()));
  }

  TEST_CASE("counters that are settled before the registry knows are found") {
    check_is_found(Planted::settle_first, kTooManyHeld, with_death(smallest()));
  }

  TEST_CASE("a settlement that is left out is found") {
    Rules rules = with_death(smallest());
    rules.planted = Planted::settle_left_out;
    Finding finding = search_all(rules, kQuickWorldsMax);
    INFO(finding.text());
    CHECK(finding.broken == "UNDERSOLD at rest");
  }

  TEST_CASE("sold_out that ignores the own returns is found") {
    check_is_found(Planted::own_returns_ignored, kSoldOutLie, with_sold_out(smallest()));
  }

  TEST_CASE("sold_out that ignores the own pool at the time of the call is found") {
    check_is_found(Planted::own_pool_ignored, kSoldOutLie,
                   with_two_units(with_sold_out(smallest())));
  }

  TEST_CASE("units that a restarted stream does not know of and nobody counts are found") {
    check_is_found(Planted::orphans_not_counted, kSoldOutLie,
                   with_crash(with_sold_out(smallest())));
  }

  TEST_CASE("a restarted node that joins without asking the registry is found") {
    check_is_found(Planted::rejoin_without_enter, kInactiveAccepted,
                   with_operators(with_crash(with_disaster(smallest()))));
  }

  TEST_CASE("a BUMP that is sent twice is found") {
    check_is_found(Planted::bump_sent_twice, kOversold, with_disaster(smallest()));
  }

  TEST_CASE("a JOIN that is sent before the promise is found") {
    check_is_found(Planted::join_before_promise, kOversold, with_disaster(smallest()));
  }

  TEST_CASE("an epoch that knows less than the registry is found") {
    check_is_found(Planted::enter_unchecked, kTooManyHeld, with_death(smallest()));
  }
}

TEST_SUITE("model/deep" * doctest::skip()) {
  TEST_CASE("every world of two epochs and one disaster keeps the promises") {
    Rules rules = with_disaster(with_sold_out(smallest()));
    check_all_worlds(rules, kDeepWorldsMax);
    rules.accepted_max = 2;
    check_all_worlds(rules, kDeepWorldsMax);
  }

  TEST_CASE("every world of three epochs and a disaster keeps the promises") {
    Rules rules = with_third_epoch(with_disaster(with_sold_out(smallest())));
    rules.calls_max = 1;
    check_all_worlds(rules, kDeepWorldsMax);
  }

  TEST_CASE("every world of two units and three epochs and a disaster keeps the promises") {
    Rules rules = with_two_units(with_third_epoch(with_disaster(smallest())));
    rules.has_sold_out = true;
    check_all_worlds(rules, kDeepWorldsMax);
  }

  TEST_CASE("every world of three epochs and returns and a disaster keeps the promises") {
    Rules rules = with_third_epoch(with_disaster(with_sold_out(smallest())));
    rules.has_sold_out = false;
    rules.accepted_max = 2;
    check_all_worlds(rules, kDeepWorldsMax);
  }

  TEST_CASE("every world of three epochs and two disasters keeps the promises") {
    Rules rules = with_third_epoch(smallest());
    rules.disasters = 2;
    check_all_worlds(rules, kDeepWorldsMax);
  }

  TEST_CASE("every world with a death and a crash keeps the promises") {
    check_all_worlds(with_death(with_crash(smallest())), kDeepWorldsMax);
  }

  TEST_CASE("every world with operators and a disaster and a death keeps the promises") {
    Rules rules = with_death(with_disaster(smallest()));
    rules.epochs = 2;
    check_all_worlds(rules, kDeepWorldsMax);
  }

  TEST_CASE("ten million random steps break no promise") {
    check_walks(with_everything(), 10'000'000);
  }
}

}  // namespace stampede::model
