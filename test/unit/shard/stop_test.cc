#include "shard/stop.h"

#include <doctest/doctest.h>

#include <vector>

namespace stampede::shard {
namespace {

constexpr StopPhase kPhases[] = {StopPhase::serving, StopPhase::finishing, StopPhase::returning,
                                 StopPhase::sealed, StopPhase::left};
constexpr unsigned kFactsCount = 9;

StopFacts facts_of(unsigned bits) {
  const auto bit = [&](unsigned i) { return (bits >> i & 1) != 0; };
  return {.is_asked = bit(0),
          .have_all_finished = bit(1),
          .are_units_returned = bit(2),
          .is_ledger_told = bit(3),
          .is_log_idle = bit(4),
          .is_writing = bit(5),
          .is_overdue = bit(6),
          .are_all_sealed = bit(7),
          .is_inbox_empty = bit(8)};
}

// Every phase with every set of facts.
template <typename Visit>
void each_case(Visit visit) {
  for (const StopPhase phase : kPhases)
    for (unsigned bits = 0; bits < 1u << kFactsCount; ++bits) {
      const StopFacts facts = facts_of(bits);
      visit(phase, facts, next_phase(phase, facts));
    }
}

constexpr Moment at(int64_t ms) {
  return {.wall_ns = 0, .boot_ns = 1'000 * kSecond + ms * kMillisecond};
}

TEST_SUITE("shard/stop") {
  TEST_CASE("a stop never goes back") {
    each_case([](StopPhase phase, const StopFacts&, StopPhase next) { CHECK(next >= phase); });
  }

  TEST_CASE("what may be done only becomes less") {
    const auto is_within = [](bool later, bool earlier) { return !later || earlier; };
    for (size_t i = 1; i < std::size(kPhases); ++i) {
      const StopRules before = rules_of(kPhases[i - 1]), after = rules_of(kPhases[i]);
      CHECK(is_within(after.takes_clients, before.takes_clients));
      CHECK(is_within(after.decides_orders, before.decides_orders));
      CHECK(is_within(after.lets_time_pass, before.lets_time_pass));
      CHECK(is_within(after.appends, before.appends));
      CHECK(is_within(after.asks_ledger, before.asks_ledger));
    }
  }

  TEST_CASE("nothing happens to a server that was not asked to stop") {
    each_case([](StopPhase phase, const StopFacts& facts, StopPhase next) {
      if (phase == StopPhase::serving) CHECK((next == phase) == !facts.is_asked);
    });
  }

  TEST_CASE("new orders are refused and time stands in every phase behind serving") {
    for (const StopPhase phase : kPhases) {
      const bool is_serving = phase == StopPhase::serving;
      CHECK(rules_of(phase).takes_clients == is_serving);
      CHECK(rules_of(phase).decides_orders == is_serving);
      CHECK(rules_of(phase).lets_time_pass == is_serving);
    }
  }

  TEST_CASE("a shard is sealed only with its log at rest or in its overtime") {
    each_case([](StopPhase phase, const StopFacts& facts, StopPhase next) {
      if (phase >= StopPhase::sealed || next < StopPhase::sealed) return;
      CHECK(next == StopPhase::sealed);
      // Memory that the kernel reads is never given away.
      if (facts.is_overdue) CHECK((!facts.is_writing || facts.is_log_idle));
      if (facts.is_overdue) return;
      CHECK(phase == StopPhase::returning);
      CHECK(facts.is_log_idle);
      CHECK(facts.are_units_returned);
      CHECK(facts.is_ledger_told);
    });
  }

  TEST_CASE("units are returned for good only when no shard has a request left") {
    each_case([](StopPhase phase, const StopFacts& facts, StopPhase next) {
      if (phase == StopPhase::finishing && next == StopPhase::returning)
        CHECK(facts.have_all_finished);
    });
  }

  TEST_CASE("a shard leaves only when all are sealed and nothing waits for it") {
    each_case([](StopPhase phase, const StopFacts& facts, StopPhase next) {
      if (phase == StopPhase::left || next != StopPhase::left) return;
      CHECK(phase == StopPhase::sealed);
      CHECK(facts.are_all_sealed);
      CHECK(facts.is_inbox_empty);
    });
  }

  TEST_CASE("every phase ends once a stop is overdue and the disk and the others are done") {
    each_case([](StopPhase phase, const StopFacts& facts, StopPhase next) {
      if (phase == StopPhase::serving || phase == StopPhase::left) return;
      if (facts.is_overdue && !facts.is_writing && facts.are_all_sealed && facts.is_inbox_empty)
        CHECK(next > phase);
    });
  }

  TEST_CASE("the last shard of each count wakes the others and only that one") {
    constexpr uint32_t kShards = 3;
    StopCounts counts;
    std::vector<Stop> stops;
    for (uint32_t i = 0; i < kShards; ++i) stops.emplace_back(counts, kShards);
    for (Stop& stop : stops) CHECK_FALSE(stop.enter(StopPhase::finishing, at(0)));
    for (uint32_t i = 0; i < kShards; ++i) {
      CHECK_FALSE(stops[0].have_all_finished());
      CHECK(stops[i].finish() == (i + 1 == kShards));
      CHECK_FALSE(stops[i].finish());  // once each
    }
    CHECK(stops[0].have_all_finished());
    for (Stop& stop : stops) CHECK_FALSE(stop.enter(StopPhase::returning, at(0)));
    for (uint32_t i = 0; i < kShards; ++i) {
      CHECK_FALSE(stops[0].are_all_sealed());
      CHECK(stops[i].enter(StopPhase::sealed, at(0)) == (i + 1 == kShards));
    }
    CHECK(stops[0].are_all_sealed());
  }

  TEST_CASE(
      "patience with the ledger begins when the units are returned and with everything at once") {
    StopCounts counts;
    Stop stop(counts, 1);
    CHECK_FALSE(stop.is_overdue(at(1'000'000)));
    stop.enter(StopPhase::finishing, at(100));
    CHECK_FALSE(stop.is_ledger_late(at(5'000)));
    stop.enter(StopPhase::returning, at(5'000));
    CHECK_FALSE(stop.is_ledger_late(at(5'000 + bounds::stop_ledger_ms)));
    CHECK(stop.is_ledger_late(at(5'001 + bounds::stop_ledger_ms)));
    CHECK_FALSE(stop.is_overdue(at(100 + bounds::stop_ms_max)));
    CHECK(stop.is_overdue(at(101 + bounds::stop_ms_max)));
  }
}

}  // namespace
}  // namespace stampede::shard
