#include "stock/code_filter.h"

#include <doctest/doctest.h>

#include <random>

#include "base/hash.h"

namespace stampede::stock {
namespace {

constexpr HashKey kKey{1, 2, 3};

uint64_t hash_of(uint64_t number) {
  return keyed_hash(kKey, "item-" + std::to_string(number));
}

double false_rate(const CodeFilter& filter, uint64_t first) {
  constexpr int kTries = 200'000;
  int passed = 0;
  for (int i = 0; i < kTries; ++i) passed += filter.may_contain(hash_of(first + i));
  return static_cast<double>(passed) / kTries;
}

TEST_SUITE("stock/code_filter") {
  TEST_CASE("every code that was added passes and no more others than the rate says") {
    for (const double rate : {0.1, 0.01, 0.001}) {
      CAPTURE(rate);
      CodeFilter filter(rate, 20'000);
      for (uint64_t number = 0; number < 20'000; ++number) filter.add(hash_of(number));
      for (uint64_t number = 0; number < 20'000; ++number)
        REQUIRE(filter.may_contain(hash_of(number)));
      CHECK(false_rate(filter, 1'000'000) < rate);
    }
  }

  TEST_CASE("more codes than were expected make it larger and not worse") {
    CodeFilter filter(0.01, 0);
    const size_t bytes = filter.bytes();
    for (uint64_t number = 0; number < 50'000; ++number) filter.add(hash_of(number));
    for (uint64_t number = 0; number < 50'000; ++number)
      REQUIRE(filter.may_contain(hash_of(number)));
    CHECK(false_rate(filter, 1'000'000) < 0.01);
    CHECK(filter.bytes() > 10 * bytes);
    CHECK(filter.bytes() < 50'000 * 8);
  }

  TEST_CASE("without a filter every code may be one") {
    CodeFilter filter(0, 1'000);
    filter.add(hash_of(1));
    CHECK(filter.may_contain(hash_of(1)));
    CHECK(filter.may_contain(hash_of(2)));
    CHECK(filter.bytes() == 0);
  }

  TEST_CASE("an empty filter knows no code") {
    const CodeFilter filter(0.01, 1'000);
    for (uint64_t number = 0; number < 1'000; ++number)
      CHECK_FALSE(filter.may_contain(hash_of(number)));
  }
}

}  // namespace
}  // namespace stampede::stock
