#include "load/schedule.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <vector>

#include "load/looks.h"
#include "load/user_name.h"

using stampede::kSecond;
using stampede::load::Looks;
using stampede::load::Pace;
using stampede::load::Plan;
using stampede::load::Schedule;
using stampede::load::Step;
using stampede::load::UserNames;

TEST_SUITE("load/schedule") {
  TEST_CASE("request i is due i divided by the rate after the start") {
    Plan plan{.users = 1'000'000, .rate = 250};
    Schedule schedule(plan, 0);
    CHECK(schedule.due_ns(0) == 0);
    CHECK(schedule.due_ns(1) == 4'000'000);
    CHECK(schedule.due_ns(250) == kSecond);
    CHECK(schedule.due_ns(999'999) == 3999 * kSecond + 996'000'000);
  }

  TEST_CASE("a rate that divides no second evenly does not drift") {
    Plan plan{.users = 1'000'000'000, .rate = 30'000};
    Schedule schedule(plan, 0);
    CHECK(schedule.due_ns(30'000) == kSecond);
    CHECK(schedule.due_ns(900'000'000) == 30'000 * kSecond);
  }

  TEST_CASE("a ramp changes the rate in a straight line and the last rate stays") {
    // 100 to 300 a second within 10 s: 2,000 orders; then down to 100 within 5 s: 1,000.
    Plan plan{.users = 1'000'000, .rate = 100, .ramps = {{300, 10 * kSecond}, {100, 5 * kSecond}}};
    const Pace pace(plan);
    CHECK(pace.due_ns(0) == 0);
    // Half of the first ramp: 100 × 5 + 10 × 25 = 750.
    CHECK(std::abs(pace.due_ns(750) - 5 * kSecond) <= 1);
    CHECK(std::abs(pace.due_ns(2'000) - 10 * kSecond) <= 1);
    CHECK(std::abs(pace.due_ns(3'000) - 15 * kSecond) <= 1);
    CHECK(std::abs(pace.due_ns(3'100) - 16 * kSecond) <= 1);
    for (uint64_t order = 1; order < 3'200; ++order)
      REQUIRE(pace.due_ns(order) >= pace.due_ns(order - 1));
  }

  TEST_CASE("a ramp that takes no time is a step") {
    Plan plan{
        .users = 100, .rate = 10, .ramps = {{10, 2 * kSecond}, {100, 0}, {100, kSecond}, {1, 0}}};
    const Pace pace(plan);
    CHECK(pace.due_ns(19) == 1'900'000'000);
    CHECK(std::abs(pace.due_ns(21) - 2'010'000'000) <= 1);
    CHECK(std::abs(pace.due_ns(121) - 4 * kSecond) <= 1);
  }

  TEST_CASE("a burst is due at the first moment and the others as if it had not been") {
    Plan plan{.users = 1'000'000, .rate = 250, .burst = 1'000};
    const Pace pace(plan);
    CHECK(pace.due_ns(999) == 0);
    CHECK(pace.due_ns(1'000) == 0);
    CHECK(pace.due_ns(1'250) == kSecond);
  }

  TEST_CASE("at a tiny rate all but the first order are due later than anybody waits") {
    for (const double rate : {1e-10, 1e-300, 5e-324}) {
      CAPTURE(rate);
      Plan plan{.users = 1'000, .rate = rate, .ramps = {{rate, kSecond}}};
      const Pace pace(plan);
      CHECK(pace.due_ns(0) == 0);
      for (const uint64_t order : {1, 500, 999}) CHECK(pace.due_ns(order) > 1'000'000 * kSecond);
      CHECK(Schedule(plan, 0).last_due_ns() > 1'000'000 * kSecond);
      Looks looks(plan, Step::page, rate, 0);
      CHECK(looks.due_ns() == 0);
      looks.advance();
      CHECK(looks.due_ns() > 1'000'000 * kSecond);
    }
  }

  TEST_CASE("the requests that are due before a moment are counted") {
    for (const uint32_t thread : {0u, 1u}) {
      for (const int64_t duration_ns : {int64_t{0}, 10 * kSecond}) {
        Plan plan{.users = 100, .rate = 100, .burst = 6, .duration_ns = duration_ns, .threads = 2};
        const Schedule schedule(plan, thread);
        CHECK(schedule.requests_before(-5) == 0);
        CHECK(schedule.requests_before(0) == 0);
        for (int64_t ns = 1; ns < kSecond / 2; ns += 7'654'321) {
          uint64_t due = 0;
          while (schedule.due_ns(due) < ns) ++due;
          CHECK(schedule.requests_before(ns) == due);
        }
        CHECK(schedule.requests_before(5 * kSecond) == (duration_ns > 0 ? 253 : 50));
      }
    }
  }

  TEST_CASE("without a duration every user has his turn once") {
    Plan plan{.users = 5};
    Schedule schedule(plan, 0);
    for (uint64_t request = 0; request < 5; ++request) {
      CHECK(schedule.has_request(request));
      CHECK(schedule.user_of(request) == request);
    }
    CHECK_FALSE(schedule.has_request(5));
  }

  TEST_CASE("with a duration the users begin again") {
    Plan plan{.users = 5, .duration_ns = kSecond};
    Schedule schedule(plan, 0);
    CHECK(schedule.has_request(5));
    CHECK(schedule.user_of(5) == 0);
    CHECK(schedule.user_of(13) == 3);
  }

  TEST_CASE("copies of an order follow each other") {
    Plan plan{.users = 2, .copies = 3};
    Schedule schedule(plan, 0);
    for (uint64_t request = 0; request < 6; ++request)
      CHECK(schedule.user_of(request) == request / 3);
    CHECK_FALSE(schedule.has_request(6));
  }

  TEST_CASE("threads share out users and together keep the rate") {
    for (uint32_t threads : {1u, 2u, 3u, 7u}) {
      Plan plan{.users = 100, .copies = 2, .rate = 1000, .threads = threads};
      std::map<uint64_t, unsigned> copies_of;
      std::vector<int64_t> due_ns;
      for (uint32_t thread = 0; thread < threads; ++thread) {
        Schedule schedule(plan, thread);
        for (uint64_t request = 0; schedule.has_request(request); ++request) {
          ++copies_of[schedule.number_of(schedule.user_of(request))];
          due_ns.push_back(schedule.due_ns(request));
        }
      }
      INFO("threads ", threads);
      REQUIRE(copies_of.size() == 100);
      for (auto [number, copies] : copies_of) {
        CHECK(number < 100);
        CHECK(copies == 2);
      }
      std::sort(due_ns.begin(), due_ns.end());
      for (size_t i = 0; i < due_ns.size(); ++i)
        REQUIRE(due_ns[i] == static_cast<int64_t>(i) * 1'000'000);
    }
  }

  TEST_CASE("a thread without users has no requests") {
    Plan plan{.users = 1, .duration_ns = kSecond, .threads = 2};
    CHECK(Schedule(plan, 0).has_request(0));
    CHECK_FALSE(Schedule(plan, 1).has_request(0));
  }
}

TEST_SUITE("load/user_name") {
  TEST_CASE("a user's number comes back from his name") {
    UserNames names(Plan{.users = 1000, .seed = 42});
    for (uint64_t number : {0, 7, 10, 999}) CHECK(names.number_of(names.name_of(number)) == number);
    CHECK(names.name_of(7).view() == "u42-7");
  }

  TEST_CASE("the longest name fits an id") {
    UserNames names(Plan{.users = UINT64_MAX, .seed = UINT64_MAX});
    CHECK(names.name_of(UINT64_MAX - 1).view().size() <= stampede::bounds::user_bytes_max);
    CHECK(names.number_of(names.name_of(UINT64_MAX - 1)) == UINT64_MAX - 1);
  }

  TEST_CASE("runs that share a seed know their own users") {
    const UserNames second(Plan{.users = 500, .first_user = 500, .seed = 42});
    CHECK(second.name_of(0).view() == "u42-500");
    CHECK(second.number_of("u42-500") == 0);
    CHECK(second.number_of("u42-999") == 499);
    for (const char* other : {"u42-0", "u42-499", "u42-1000"})
      CHECK_FALSE(second.number_of(other).has_value());
  }

  TEST_CASE("names of other runs and other people are nobody here") {
    UserNames names(Plan{.users = 1000, .seed = 42});
    for (const char* other : {"", "u42-", "u42-1000", "u42-01", "u42-1x", "u42--1", "u42-+1",
                              "u4-7", "u421-7", "alice", "U42-7", "u42-99999999999999999999"}) {
      INFO(other);
      CHECK_FALSE(names.number_of(other).has_value());
    }
  }
}
