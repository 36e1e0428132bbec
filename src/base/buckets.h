// The heads of a chained hash table whose links live inside the entries. The number of buckets is fixed at start: a power of
// two, at least half of the most entries there can be. So no insert ever pauses to rehash a million others, and a chain of a table
// that is as full as it may become has two entries at most on average.
//
//   heads:   [ – ][ 7 ][ – ][ 2 ] …        entry 7 {…, next: 3} → entry 3 {…, next: kNone}
#pragma once

#include <bit>
#include <cstdint>

#include "base/reserved.h"
#include "base/slab.h"

namespace stampede {

class Buckets {
 public:
  // `touch`: lazily when neighbours in time are neighbours here.
  explicit Buckets(uint32_t entries_max, Touch touch = Touch::at_start)
      : heads_(std::bit_ceil(size_t{entries_max} / 2 + 1), touch), mask_(heads_.capacity() - 1) {}

  // The first entry of the bucket, or kNone. `hash` must be well spread in its low bits.
  uint32_t first(uint64_t hash) const { return heads_[hash & mask_] - 1; }

  void prefetch(uint64_t hash) const { __builtin_prefetch(&heads_[hash & mask_]); }

  // Puts an entry at the front of its bucket; the result goes into its `next`.
  [[nodiscard]] uint32_t push(uint64_t hash, uint32_t entry) {
    uint32_t& head = heads_[hash & mask_];
    const uint32_t next = head - 1;
    head = entry + 1;
    return next;
  }

  // Takes an entry out of its bucket; `next_of(entry)` gives a reference to an entry's link.
  template <typename NextOf>
  void remove(uint64_t hash, uint32_t entry, NextOf next_of) {
    uint32_t& head = heads_[hash & mask_];
    if (head - 1 == entry) {
      head = next_of(entry) + 1;
      return;
    }
    uint32_t at = head - 1;
    while (next_of(at) != entry) at = next_of(at);
    next_of(at) = next_of(entry);
  }

 private:
  Reserved<uint32_t> heads_;  // index + 1, so that fresh zero pages mean "empty"
  uint64_t mask_;
};

static_assert(uint32_t{0} - 1 == kNone);

}  // namespace stampede
