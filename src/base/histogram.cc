#include "base/histogram.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace stampede {

void Histogram::merge(const Histogram& other) {
  for (size_t bucket = 0; bucket < kBucketCount; ++bucket)
    if (uint64_t n = other.at(bucket)) add(counts_[bucket], n);
  add(sum_, other.sum());
  max_.store(std::max(max(), other.max()), std::memory_order_relaxed);
}

void Histogram::assign_difference(const Histogram& now, const Histogram& before) {
  uint64_t highest = 0;
  for (size_t bucket = 0; bucket < kBucketCount; ++bucket) {
    const uint64_t n = now.at(bucket) - before.at(bucket);
    counts_[bucket].store(n, std::memory_order_relaxed);
    if (n > 0) highest = highest_of(bucket);
  }
  sum_.store(now.sum() - before.sum(), std::memory_order_relaxed);
  max_.store(std::min(highest, now.max()), std::memory_order_relaxed);
}

void Histogram::clear() {
  for (Counter& counter : counts_) counter.store(0, std::memory_order_relaxed);
  sum_.store(0, std::memory_order_relaxed);
  max_.store(0, std::memory_order_relaxed);
}

uint64_t Histogram::count() const {
  uint64_t total = 0;
  for (size_t bucket = 0; bucket < kBucketCount; ++bucket) total += at(bucket);
  return total;
}

uint64_t Histogram::percentile(double percent) const {
  CHECK(percent >= 0 && percent <= 100);
  uint64_t total = count();
  if (total == 0) return 0;
  // Nearest rank, from 1. The multiplication comes first: 99.9 / 100 * 1000 would round up to rank
  // 1000.
  uint64_t rank = static_cast<uint64_t>(std::ceil(percent * static_cast<double>(total) / 100));
  rank = std::clamp<uint64_t>(rank, 1, total);
  if (rank == total) return max();
  size_t bucket = 0;
  for (uint64_t seen = at(0); seen < rank && bucket + 1 < kBucketCount;) seen += at(++bucket);
  uint64_t lowest = lowest_of(bucket);
  return std::min(lowest + (highest_of(bucket) - lowest) / 2, max());
}

uint64_t Histogram::count_at_most(uint64_t bound) const {
  size_t last = bucket_of(bound);
  uint64_t total = 0;
  for (size_t bucket = 0; bucket < last; ++bucket) total += at(bucket);
  return bound == highest_of(last) ? total + at(last) : total;
}

double Histogram::mean() const {
  uint64_t total = count();
  return total == 0 ? 0 : static_cast<double>(sum()) / static_cast<double>(total);
}

}  // namespace stampede
