#include "base/histogram.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <random>
#include <thread>
#include <vector>

using stampede::Histogram;

namespace {

uint64_t fresh_seed() {
  return std::random_device{}();
}

// Latencies as they come: most short, some long, a few very long.
std::vector<uint64_t> long_tailed(std::mt19937_64& random, size_t count) {
  std::lognormal_distribution<double> latency_ns(12, 2.5);
  std::vector<uint64_t> values(count);
  for (uint64_t& value : values) value = static_cast<uint64_t>(latency_ns(random));
  return values;
}

uint64_t exact_percentile(const std::vector<uint64_t>& sorted, double percent) {
  double rank = std::ceil(percent * static_cast<double>(sorted.size()) / 100);
  return sorted[std::max<size_t>(1, static_cast<size_t>(rank)) - 1];
}

bool is_within(uint64_t measured, uint64_t exact, double relative) {
  return std::abs(static_cast<double>(measured) - static_cast<double>(exact)) <=
         relative * static_cast<double>(exact);
}

}  // namespace

TEST_SUITE("base/histogram") {
  TEST_CASE("percentiles of random data are within one percent of the exact ones") {
    uint64_t seed = fresh_seed();
    INFO("seed ", seed);
    std::mt19937_64 random(seed);
    for (size_t count : {1u, 2u, 100u, 9'999u, 50'000u}) {
      auto histogram = std::make_unique<Histogram>();
      std::vector<uint64_t> values = long_tailed(random, count);
      for (uint64_t value : values) histogram->record(value);
      std::sort(values.begin(), values.end());
      for (double percent : {0.0, 1.0, 50.0, 90.0, 99.0, 99.9, 99.99, 100.0}) {
        INFO("count ", count, " percent ", percent);
        CHECK(is_within(histogram->percentile(percent), exact_percentile(values, percent), 0.01));
      }
      CHECK(histogram->count() == count);
      CHECK(histogram->max() == values.back());
    }
  }

  TEST_CASE("small values are exact") {
    Histogram histogram;
    for (uint64_t value = 0; value < 128; ++value) histogram.record(value);
    for (unsigned percent = 1; percent <= 100; ++percent)
      CHECK(histogram.percentile(percent) == std::ceil(percent * 1.28) - 1);
  }

  TEST_CASE("the buckets cover every value once without gap or overlap") {
    CHECK(Histogram::lowest_of(0) == 0);
    CHECK(Histogram::highest_of(Histogram::kBucketCount - 1) == UINT64_MAX);
    for (size_t bucket = 0; bucket < Histogram::kBucketCount; ++bucket) {
      uint64_t lowest = Histogram::lowest_of(bucket), highest = Histogram::highest_of(bucket);
      REQUIRE(lowest <= highest);
      REQUIRE(Histogram::bucket_of(lowest) == bucket);
      REQUIRE(Histogram::bucket_of(highest) == bucket);
      if (bucket > 0) REQUIRE(Histogram::highest_of(bucket - 1) + 1 == lowest);
      // The promise of 1 %: the middle of a bucket is that near to both of its ends.
      REQUIRE(static_cast<double>(highest - lowest) / 2 <=
              Histogram::kRelativeErrorMax * static_cast<double>(std::max<uint64_t>(lowest, 1)));
    }
  }

  TEST_CASE("an empty histogram answers zero") {
    Histogram histogram;
    CHECK(histogram.count() == 0);
    CHECK(histogram.percentile(99) == 0);
    CHECK(histogram.max() == 0);
    CHECK(histogram.mean() == 0);
  }

  TEST_CASE("the largest value is exact and no percentile exceeds it") {
    Histogram histogram;
    histogram.record(1'000'001, 3);
    CHECK(histogram.percentile(50) <= 1'000'001);
    CHECK(histogram.percentile(100) == 1'000'001);
    histogram.record(UINT64_MAX);
    CHECK(histogram.percentile(100) == UINT64_MAX);
  }

  TEST_CASE("a value recorded many times counts as many and the mean is exact") {
    Histogram histogram;
    histogram.record(10, 3);
    histogram.record(50);
    CHECK(histogram.count() == 4);
    CHECK(histogram.sum() == 80);
    CHECK(histogram.mean() == 20);
  }

  TEST_CASE("a merged histogram equals one that saw all values") {
    uint64_t seed = fresh_seed();
    INFO("seed ", seed);
    std::mt19937_64 random(seed);
    Histogram all, part[2], merged;
    for (uint64_t value : long_tailed(random, 10'000)) {
      all.record(value);
      part[value % 2].record(value);
    }
    merged.merge(part[0]);
    merged.merge(part[1]);
    CHECK(merged.count() == all.count());
    CHECK(merged.max() == all.max());
    CHECK(merged.sum() == all.sum());
    for (double percent : {10.0, 50.0, 99.0, 99.9})
      CHECK(merged.percentile(percent) == all.percentile(percent));
  }

  TEST_CASE("what came between two looks is their difference") {
    Histogram all, before, between;
    all.record(1'000'000'000);
    all.record(50);
    before.merge(all);
    between.record(77);  // what it held is gone
    between.assign_difference(all, before);
    CHECK(between.count() == 0);
    CHECK(between.max() == 0);
    for (uint64_t value : {50, 60, 1'000}) all.record(value);
    between.assign_difference(all, before);
    CHECK(between.count() == 3);
    CHECK(between.sum() == 1'110);
    CHECK(between.percentile(50) == 60);
    CHECK(between.max() == Histogram::highest_of(Histogram::bucket_of(1'000)));
    before.merge(between);
    all.record(3'000'000'000);
    between.assign_difference(all, before);
    CHECK(between.max() == 3'000'000'000);
  }

  TEST_CASE("cumulative counts are exact at powers of two") {
    uint64_t seed = fresh_seed();
    INFO("seed ", seed);
    std::mt19937_64 random(seed);
    Histogram histogram;
    std::vector<uint64_t> values = long_tailed(random, 5'000);
    for (uint64_t value : values) histogram.record(value);
    for (unsigned bits = 0; bits < 63; ++bits) {
      uint64_t bound = (uint64_t{1} << bits) - 1;
      auto exact =
          std::count_if(values.begin(), values.end(), [&](uint64_t v) { return v <= bound; });
      CHECK(histogram.count_at_most(bound) == static_cast<uint64_t>(exact));
    }
    CHECK(histogram.count_at_most(UINT64_MAX) == values.size());
  }

  TEST_CASE("clearing forgets everything") {
    Histogram histogram;
    histogram.record(12345);
    histogram.clear();
    CHECK(histogram.count() == 0);
    CHECK(histogram.max() == 0);
    CHECK(histogram.sum() == 0);
  }

  TEST_CASE("another thread may read while one records") {
    constexpr uint64_t kValues = 200'000;
    Histogram live;
    std::thread writer([&] {
      for (uint64_t i = 0; i < kValues; ++i) live.record(i);
    });
    uint64_t seen = 0;
    while (seen < kValues) {
      Histogram mine;
      mine.merge(live);
      REQUIRE(mine.count() >= seen);
      seen = mine.count();
      REQUIRE(mine.percentile(100) <= kValues);
    }
    writer.join();
    CHECK(live.max() == kValues - 1);
  }
}
