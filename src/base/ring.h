// A bounded first-in-first-out line for one thread. It starts over at its first cell whenever it runs empty, so a line
// that is mostly short stays in the same few cache lines, however large its bound.
#pragma once

#include <cstdint>

#include "base/reserved.h"

namespace stampede {

template <typename T>
class Ring {
 public:
  explicit Ring(uint32_t capacity) : cells_(capacity) {}

  bool empty() const { return size_ == 0; }
  bool is_full() const { return size_ == cells_.capacity(); }
  uint32_t size() const { return size_; }

  T& push() {  // the new cell, to be filled in place
    CHECK(!is_full());
    uint32_t index = head_ + size_;
    if (index >= cells_.capacity()) index -= cells_.capacity();
    ++size_;
    return cells_[index];
  }
  T& front() {
    CHECK(!empty());
    return cells_[head_];
  }
  const T& front() const { return const_cast<Ring*>(this)->front(); }
  // The one so many behind the front, or none.
  const T* peek(uint32_t behind) const {
    if (behind >= size_) return nullptr;
    const uint32_t index = head_ + behind;
    return &cells_[index < cells_.capacity() ? index : index - cells_.capacity()];
  }
  void pop() {
    CHECK(!empty());
    --size_;
    if (size_ == 0 || ++head_ == cells_.capacity()) head_ = 0;
  }

 private:
  Reserved<T> cells_;
  uint32_t head_ = 0;
  uint32_t size_ = 0;
};

}  // namespace stampede
