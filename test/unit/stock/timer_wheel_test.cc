#include "stock/timer_wheel.h"

#include <doctest/doctest.h>

#include <map>
#include <random>
#include <vector>

#include "../base/death.h"
#include "base/clock.h"

namespace stampede::stock {
namespace {

constexpr int64_t kTickNs = int64_t{1} << TimerWheel::kTickBits;

std::vector<uint32_t> all_due(TimerWheel& wheel, int64_t now_ns) {
  std::vector<uint32_t> due;
  for (uint32_t budget = UINT32_MAX, timer; (timer = wheel.next_due(now_ns, budget)) != kNone;)
    due.push_back(timer);
  return due;
}

TEST_SUITE("stock/timer_wheel") {
  TEST_CASE("a timer fires after its deadline and at most one tick late") {
    for (const int64_t deadline : std::initializer_list<int64_t>{
             1, kTickNs - 1, kTickNs, 3 * kTickNs, 64 * kTickNs, 65 * kTickNs, 4096 * kTickNs,
             4097 * kTickNs + 5, 30LL * 24 * 3600 * kSecond}) {
      CAPTURE(deadline);
      TimerWheel wheel(4, 0);
      wheel.schedule(2, deadline);
      CHECK(all_due(wheel, deadline - 1).empty());
      CHECK(all_due(wheel, deadline + kTickNs) == std::vector<uint32_t>{2});
      CHECK(wheel.size() == 0);
    }
  }

  TEST_CASE("a timer says whether it fires by a deadline") {
    TimerWheel wheel(4, 0);
    CHECK(!wheel.is_scheduled_by(2, INT64_MAX));
    for (const int64_t deadline : {3 * kTickNs, 4096 * kTickNs}) {
      wheel.schedule(2, deadline);
      CHECK(!wheel.is_scheduled_by(2, deadline - kTickNs));
      CHECK(wheel.is_scheduled_by(2, deadline));
      CHECK(wheel.is_scheduled_by(2, deadline + kTickNs));
      wheel.cancel(2);
      CHECK(!wheel.is_scheduled_by(2, deadline));
    }
  }

  TEST_CASE("random timers fire exactly once in the right tick also when some are cancelled") {
    const unsigned seed = std::random_device{}();
    INFO("seed ", seed);
    std::mt19937_64 random(seed);
    constexpr uint32_t kTimers = 5'000;
    TimerWheel wheel(kTimers, 0);
    std::map<uint32_t, int64_t> deadlines;
    for (uint32_t timer = 0; timer < kTimers; ++timer) {
      const int64_t deadline = random() % (int64_t{1} << (30 + random() % 14));
      wheel.schedule(timer, deadline);
      deadlines[timer] = deadline;
    }
    for (uint32_t timer = 0; timer < kTimers; timer += 7) {
      wheel.cancel(timer);
      deadlines.erase(timer);
    }
    int64_t now = 0;
    while (!deadlines.empty()) {
      const int64_t before = now;
      now += 1 + random() % (int64_t{1} << (24 + random() % 16));
      for (const uint32_t timer : all_due(wheel, now)) {
        REQUIRE(deadlines.contains(timer));
        CHECK(deadlines[timer] <= now);
        CHECK(deadlines[timer] + 2 * kTickNs > before);
        deadlines.erase(timer);
      }
      for (const auto& [timer, deadline] : deadlines) REQUIRE(deadline + kTickNs > now);
    }
    CHECK(wheel.size() == 0);
  }

  TEST_CASE("a million timers of one millisecond are worked off within the budget of each call") {
    constexpr uint32_t kTimers = 1'000'000;
    TimerWheel wheel(kTimers, 0);
    for (uint32_t timer = 0; timer < kTimers; ++timer) wheel.schedule(timer, 100 * kSecond);
    uint32_t fired = 0;
    for (uint32_t calls = 0; fired < kTimers; ++calls) {
      REQUIRE(calls < 100'000);
      uint32_t budget = 256, in_this_call = 0;
      while (wheel.next_due(101 * kSecond, budget) != kNone) ++in_this_call;
      CHECK(in_this_call <= 256);
      fired += in_this_call;
    }
    CHECK(fired == kTimers);
  }

  TEST_CASE("nothing is due before the moment that it promises quiet until") {
    TimerWheel wheel(2, 0);
    CHECK(wheel.quiet_until_ns() == INT64_MAX);
    wheel.schedule(0, 20 * kTickNs);
    CHECK(wheel.quiet_until_ns() <= 21 * kTickNs);
    CHECK(wheel.quiet_until_ns() > 19 * kTickNs);
    CHECK(all_due(wheel, wheel.quiet_until_ns() - 1).empty());
    CHECK(all_due(wheel, wheel.quiet_until_ns()) == std::vector<uint32_t>{0});
  }

  TEST_CASE("a timer is scheduled once at a time and may be cancelled in any state") {
    TimerWheel wheel(2, 0);
    wheel.cancel(0);
    CHECK(wheel.size() == 0);
    wheel.schedule(0, 5 * kTickNs);
    CHECK(death_of([&] { wheel.schedule(0, 9 * kTickNs); }).signal == SIGABRT);
    wheel.cancel(0);
    wheel.cancel(0);
    CHECK_FALSE(wheel.is_scheduled(0));
    CHECK(wheel.size() == 0);
    wheel.schedule(0, 7 * kTickNs);
    CHECK(all_due(wheel, 8 * kTickNs) == std::vector<uint32_t>{0});
  }

  TEST_CASE("a deadline that has passed is due at the next look") {
    TimerWheel wheel(2, 100 * kTickNs);
    wheel.schedule(0, 50 * kTickNs);
    wheel.schedule(1, -5 * kTickNs);
    CHECK(all_due(wheel, 101 * kTickNs).size() == 2);
  }

  TEST_CASE("a deadline beyond the last level waits without being worked on") {
    TimerWheel wheel(1, 0);
    constexpr int64_t kSlotNs = kTickNs << (TimerWheel::kSlotBits * (TimerWheel::kLevels - 1));
    wheel.schedule(0, 65 * kSlotNs);
    uint32_t budget = 1'000;
    CHECK(wheel.next_due(kSlotNs, budget) == kNone);
    CHECK(budget > 0);
    CHECK(wheel.size() == 1);
  }

  TEST_CASE("quiet ends where timers of a higher level come down") {
    TimerWheel wheel(1, 0);
    wheel.schedule(0, 100 * kTickNs);
    CHECK(wheel.quiet_until_ns() == 64 * kTickNs);
  }
}

}  // namespace
}  // namespace stampede::stock
