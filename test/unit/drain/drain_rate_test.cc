#include "drain/drain_rate.h"

#include <doctest/doctest.h>

namespace stampede::drain {
namespace {

TEST_SUITE("drain/drain_rate") {
  TEST_CASE("the rate approaches half of the rows that the database takes") {
    DrainRate rate;
    CHECK(rate.per_second() == DrainRate::kFirst);
    for (int i = 0; i < 100; ++i) rate.observe(8'192, kSecond);
    CHECK(rate.per_second() >= 4'090);
    CHECK(rate.per_second() <= 4'100);
    // The database was doubled.
    for (int i = 0; i < 100; ++i) rate.observe(8'192, kSecond / 2);
    CHECK(rate.per_second() >= 8'180);
    CHECK(rate.per_second() <= 8'200);
  }

  TEST_CASE("small transactions never lower the rate") {
    DrainRate rate;
    for (int i = 0; i < 100; ++i) rate.observe(DrainRate::kRowsLeast - 1, kSecond);
    rate.observe(0, kSecond);
    rate.observe(8'192, 0);
    CHECK(rate.per_second() == DrainRate::kFirst);
  }

  TEST_CASE("a rate that a slow database made low rises again by the few rows that it lets in") {
    DrainRate rate;
    for (int i = 0; i < 100; ++i) rate.observe(8'192, 3'600 * kSecond);
    REQUIRE(rate.per_second() == DrainRate::kLeast);
    // What comes in the 100 ms for which a transaction waits, and is written in 2 ms.
    for (int i = 0; i < 100 && rate.per_second() < 2'000; ++i)
      rate.observe(rate.per_second() / 10, 2 * kMillisecond);
    CHECK(rate.per_second() >= 2'000);
  }

  TEST_CASE(
      "one transaction that was held up moves it by an eighth and one that flew by a quarter") {
    DrainRate held_up;
    held_up.observe(8'192, 3'600 * kSecond);
    CHECK(held_up.per_second() == DrainRate::kFirst * 7 / 8);
    DrainRate flew;
    flew.observe(8'192, 1);
    CHECK(flew.per_second() == DrainRate::kFirst * 5 / 4);
  }

  TEST_CASE("it never falls below the least") {
    DrainRate rate;
    for (int i = 0; i < 1'000; ++i) rate.observe(100, 3'600 * kSecond);
    CHECK(rate.per_second() == DrainRate::kLeast);
  }
}

}  // namespace
}  // namespace stampede::drain
