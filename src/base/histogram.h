// Latencies by the million in fixed memory: a log-linear histogram of u64 values (nanoseconds by
// custom).
//
// Values below 128 have a bucket each; above, every power of two is cut into 64 buckets of equal
// width, as in Gil Tene's HdrHistogram. A bucket is at most 1/64 of its values wide and answers
// with its middle, so a percentile is off by 0.8 % at most, from a nanosecond to 584
// years, in 30 KB, and record() is a shift and an addition.
//
//   value   0 … 127 │ 128 … 255 │ 256 … 511 │ 512 … 1023 │ …
//   width         1 │         2 │         4 │          8 │
//
// Threads: one thread records; any thread may read meanwhile (counters are relaxed atomics with a
// single writer, so recording is a plain load and store). A reader that needs figures which
// agree with each other merges the live histogram into one of its own and asks that.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace stampede {

class Histogram {
 public:
  static constexpr unsigned kLinearBits = 7;  // values below 2^7 are exact
  static constexpr size_t kBucketsPerPower = size_t{1} << (kLinearBits - 1);
  static constexpr size_t kBucketCount = kBucketsPerPower * (64 - kLinearBits + 2);
  static constexpr double kRelativeErrorMax = 0.5 / kBucketsPerPower;

  Histogram() = default;
  Histogram(const Histogram&) = delete;
  Histogram& operator=(const Histogram&) = delete;

  // The writer's side. `times` is for values that many orders share, such as the sync of their
  // batch.
  void record(uint64_t value, uint64_t times = 1) {
    add(counts_[bucket_of(value)], times);
    add(sum_, value * times);
    if (value > max()) max_.store(value, std::memory_order_relaxed);
  }
  void merge(const Histogram& other);  // adds all that `other` holds by now
  // The values that were recorded between two looks at one histogram. The maximum is exact where it is that of `now`.
  void assign_difference(const Histogram& now, const Histogram& before);
  void clear();

  // Any thread. All but the first walk the buckets (about 2 µs).
  [[nodiscard]] uint64_t count_of(size_t bucket) const { return at(bucket); }
  [[nodiscard]] uint64_t count() const;
  // The smallest value that at least `percent` (0 … 100) of all values do not exceed, within
  // kRelativeErrorMax and never above max(); 0 when empty.
  [[nodiscard]] uint64_t percentile(double percent) const;
  // Values at most `bound`, exact where `bound` is the top of a bucket (2^k - 1 always is); for
  // cumulative buckets.
  [[nodiscard]] uint64_t count_at_most(uint64_t bound) const;

  [[nodiscard]] uint64_t max() const { return max_.load(std::memory_order_relaxed); }
  [[nodiscard]] uint64_t sum() const { return sum_.load(std::memory_order_relaxed); }
  [[nodiscard]] double mean() const;

  [[nodiscard]] static constexpr size_t bucket_of(uint64_t value) {
    if (value < (uint64_t{1} << kLinearBits)) return value;
    const auto shift = static_cast<unsigned>(std::bit_width(value)) -
                       kLinearBits;  // leaves value >> shift in [64, 128)
    return shift * kBucketsPerPower + (value >> shift);
  }
  [[nodiscard]] static constexpr uint64_t lowest_of(size_t bucket) {
    if (bucket < 2 * kBucketsPerPower) return bucket;
    const auto shift = static_cast<unsigned>(bucket / kBucketsPerPower - 1);
    return uint64_t{bucket - shift * kBucketsPerPower} << shift;
  }
  [[nodiscard]] static constexpr uint64_t highest_of(size_t bucket) {
    return bucket + 1 == kBucketCount ? UINT64_MAX : lowest_of(bucket + 1) - 1;
  }

 private:
  using Counter = std::atomic<uint64_t>;

  static void add(Counter& counter, uint64_t n) {  // one writer: no locked instruction is needed
    counter.store(counter.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  uint64_t at(size_t bucket) const { return counts_[bucket].load(std::memory_order_relaxed); }

  std::array<Counter, kBucketCount> counts_{};
  Counter sum_{0};
  Counter max_{0};
};

static_assert(Histogram::bucket_of(UINT64_MAX) == Histogram::kBucketCount - 1);
static_assert(Histogram::highest_of(Histogram::bucket_of(127)) == 127);
static_assert(Histogram::lowest_of(Histogram::bucket_of(1 << 20)) == 1 << 20);

}  // namespace stampede
