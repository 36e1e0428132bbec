#include "stock/user_windows.h"

#include <doctest/doctest.h>

#include <vector>

#include "base/hash.h"

namespace stampede::stock {
namespace {

Moment at_ms(int64_t ms) {
  return {.boot_ns = ms * kMillisecond};
}
// As evenly spread as a keyed hash.
uint64_t user(uint64_t number) {
  return mix(number + 1);
}

TEST_SUITE("stock/user_windows") {
  TEST_CASE("a user has so many requests in a window and the next one when it ends") {
    UserWindows windows(1);
    for (uint64_t number = 0; number < 200; ++number) {
      const Moment now{.boot_ns = 1'000 * kSecond + static_cast<int64_t>(number) * 7'654'321};
      int64_t wait_ns = 0;
      for (int i = 0; i < 3; ++i) REQUIRE(windows.count(user(number), 3, 1'000, now) == 0);
      wait_ns = windows.count(user(number), 3, 1'000, now);
      REQUIRE(wait_ns > 0);
      CHECK(wait_ns <= kSecond);
      const Moment before{.boot_ns = now.boot_ns + wait_ns - 1};
      CHECK(windows.count(user(number), 3, 1'000, before) == 1);
      const Moment after{.boot_ns = now.boot_ns + wait_ns};
      for (int i = 0; i < 3; ++i) CHECK(windows.count(user(number), 3, 1'000, after) == 0);
      CHECK(windows.count(user(number), 3, 1'000, after) == kSecond);
    }
    CHECK(windows.forgotten() == 0);
  }

  TEST_CASE("a window begins with the first request and not at a moment of the clock") {
    UserWindows windows(1);
    for (int64_t began_ms = 10'000; began_ms < 12'000; began_ms += 7) {
      const uint64_t one = user(static_cast<uint64_t>(began_ms));
      CHECK(windows.count(one, 5, 1'000, at_ms(began_ms)) == 0);
      for (int i = 1; i < 5; ++i) CHECK(windows.count(one, 5, 1'000, at_ms(began_ms + 999)) == 0);
      CHECK(windows.count(one, 5, 1'000, at_ms(began_ms + 999)) == kMillisecond);
      CHECK(windows.count(one, 5, 1'000, at_ms(began_ms + 1'000)) == 0);
    }
  }

  TEST_CASE("what is refused is not counted") {
    UserWindows windows(1);
    CHECK(windows.count(user(7), 2, 1'000, at_ms(5'000)) == 0);
    CHECK(windows.count(user(7), 2, 1'000, at_ms(5'000)) == 0);
    for (int i = 0; i < 100; ++i) CHECK(windows.count(user(7), 2, 1'000, at_ms(5'000)) > 0);
    CHECK(windows.count(user(7), 3, 1'000, at_ms(5'000)) == 0);  // raised: it had two
    CHECK(windows.count(user(7), 3, 1'000, at_ms(5'000)) > 0);
  }

  TEST_CASE("another length of the window moves its end and keeps its count") {
    UserWindows windows(1);
    for (int i = 0; i < 5; ++i) CHECK(windows.count(user(7), 5, 60'000, at_ms(123'456)) == 0);
    CHECK(windows.count(user(7), 5, 60'000, at_ms(123'456)) == 60 * kSecond);
    CHECK(windows.count(user(7), 5, 1'000, at_ms(123'457)) == 999 * kMillisecond);
    CHECK(windows.count(user(7), 5, 1'000, at_ms(124'456)) == 0);
  }

  TEST_CASE("a full set gives up the least count and never refuses for another user") {
    UserWindows windows(64);
    // All of one set: the bits above the low 32 are the same.
    const auto of_set = [](uint64_t number) { return uint64_t{5} << 32 | (number + 1) << 8; };
    for (uint64_t busy = 0; busy < UserWindows::kWays - 1; ++busy)
      for (int i = 0; i < 10; ++i)
        REQUIRE(windows.count(of_set(busy), 10, 1'000'000, at_ms(2'000'000)) == 0);
    for (uint64_t passer = 100; passer < 1'100; ++passer)
      CHECK(windows.count(of_set(passer), 10, 1'000'000, at_ms(2'000'000)) == 0);
    for (uint64_t busy = 0; busy < UserWindows::kWays - 1; ++busy)
      CHECK(windows.count(of_set(busy), 10, 1'000'000, at_ms(2'000'000)) > 0);
    CHECK(windows.forgotten() == 999);
  }

  TEST_CASE("counts of windows that are over are no loss") {
    UserWindows windows(64);
    const auto of_set = [](uint64_t number) { return uint64_t{5} << 32 | (number + 1) << 8; };
    for (uint64_t round = 0; round < 100; ++round)
      for (uint64_t one = 0; one < UserWindows::kWays; ++one)
        CHECK(windows.count(of_set(round * UserWindows::kWays + one), 10, 1'000,
                            at_ms(10'000 + static_cast<int64_t>(round) * 2'000)) == 0);
    CHECK(windows.forgotten() == 0);
  }

  TEST_CASE("ten million users in one window take the cells there are and few lose a count") {
    UserWindows windows(1);
    CHECK(windows.cells() == bounds::user_window_cells);
    constexpr uint64_t kUsers = 10'000'000;
    constexpr uint32_t kDayMs = 24 * 3'600 * 1'000;
    uint64_t refused = 0;
    for (uint64_t number = 0; number < kUsers; ++number)
      refused += windows.count(user(number), 20, kDayMs, at_ms(1'000)) != 0;
    CHECK(refused == 0);
    CHECK(windows.cells() == bounds::user_window_cells);
    MESSAGE("of 10,000,000 counts given up: " << windows.forgotten());
    CHECK(windows.forgotten() < kUsers / 40);
  }

  TEST_CASE("a million users in one window lose no count") {
    UserWindows windows(1);
    uint64_t refused = 0;
    for (uint64_t number = 0; number < 1'000'000; ++number)
      refused += windows.count(user(number), 20, 60'000, at_ms(100'000)) != 0;
    CHECK(refused == 0);
    CHECK(windows.forgotten() < 10);
  }
}

}  // namespace
}  // namespace stampede::stock
