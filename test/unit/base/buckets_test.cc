#include "base/buckets.h"

#include <doctest/doctest.h>

#include <random>
#include <vector>

namespace stampede {
namespace {

// A set of the numbers 0 … size - 1 whose hashes fall on a few buckets only.
class Numbers {
 public:
  explicit Numbers(uint32_t size) : buckets_(size), next_(size, kNone) {}

  void insert(uint32_t number) { next_[number] = buckets_.push(hash_of(number), number); }
  void remove(uint32_t number) {
    buckets_.remove(hash_of(number), number,
                    [this](uint32_t entry) -> uint32_t& { return next_[entry]; });
  }
  unsigned times_found(uint32_t number) const {
    unsigned times = 0;
    for (uint32_t at = buckets_.first(hash_of(number)); at != kNone; at = next_[at])
      times += at == number;
    return times;
  }

 private:
  static uint64_t hash_of(uint32_t number) { return number % 5; }

  Buckets buckets_;
  std::vector<uint32_t> next_;
};

TEST_SUITE("base/buckets") {
  TEST_CASE("a new table is empty") {
    Buckets buckets(100);
    for (uint64_t hash = 0; hash < 1'000; ++hash) CHECK(buckets.first(hash) == kNone);
  }

  TEST_CASE("entries of one bucket are found and taken out wherever they stand in it") {
    const unsigned seed = std::random_device{}();
    INFO("seed " << seed);
    std::mt19937 random(seed);
    Numbers numbers(64);
    std::vector<bool> is_in(64);
    for (int step = 0; step < 20'000; ++step) {
      const uint32_t number = random() % 64;
      is_in[number] ? numbers.remove(number) : numbers.insert(number);
      is_in[number] = !is_in[number];
      const uint32_t other = random() % 64;
      REQUIRE(numbers.times_found(other) == is_in[other]);
    }
  }

  TEST_CASE("hashes that differ above the mask share a bucket") {
    Buckets buckets(3);  // 4 heads
    CHECK(buckets.push(1, 0) == kNone);
    CHECK(buckets.push(1 + 4, 1) == 0);
    CHECK(buckets.first(1 + 8) == 1);
    CHECK(buckets.first(2) == kNone);
  }
}

}  // namespace
}  // namespace stampede
