// Cells of one type, named by a 32-bit index, handed out and taken back in constant time without malloc.
// A freed cell is the next one handed out: it is the one most likely still in the cache.
#pragma once

#include <cstdint>
#include <cstring>

#include "base/reserved.h"

namespace stampede {

constexpr uint32_t kNone = UINT32_MAX;  // no cell

template <typename T>
class Slab {
  static_assert(sizeof(T) >= sizeof(uint32_t), "a free cell holds the index of the next one");

 public:
  explicit Slab(uint32_t capacity) : cells_(capacity) {}

  // kNone when full. The cell's bytes are those of its last owner.
  [[nodiscard]] uint32_t allocate() {
    if (free_ != kNone) {
      const uint32_t index = free_;
      std::memcpy(&free_, static_cast<const void*>(&cells_[index]), sizeof free_);
      ++used_;
      return index;
    }
    if (fresh_ == cells_.capacity()) return kNone;
    cells_.reach(fresh_);
    ++used_;
    return fresh_++;
  }
  void release(uint32_t index) {
    CHECK(used_ > 0);
    std::memcpy(static_cast<void*>(&cells_[index]), &free_, sizeof free_);
    free_ = index;
    --used_;
  }

  // It will be read soon. kNone is allowed.
  void prefetch(uint32_t index) const {
    if (index != kNone) __builtin_prefetch(&cells_[index]);
  }

  T& operator[](uint32_t index) { return cells_[index]; }
  const T& operator[](uint32_t index) const { return cells_[index]; }
  uint32_t used() const { return used_; }
  uint32_t touched() const { return fresh_; }  // every index ever handed out is below this
  bool is_full() const { return used_ == cells_.capacity(); }

 private:
  Reserved<T> cells_;
  uint32_t free_ = kNone;
  uint32_t fresh_ = 0;
  uint32_t used_ = 0;
};

}  // namespace stampede
