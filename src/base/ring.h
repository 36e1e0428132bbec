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
    return cells_[index_of(size_++)];
  }
  T& front() {
    CHECK(!empty());
    return cells_[head_];
  }
  const T& front() const { return const_cast<Ring*>(this)->front(); }
  // The one so many behind the front, or none.
  const T* peek(uint32_t behind) const {
    if (behind >= size_) return nullptr;
    return &cells_[index_of(behind)];
  }
  void pop() {
    CHECK(!empty());
    --size_;
    if (size_ == 0 || ++head_ == cells_.capacity()) head_ = 0;
  }

 private:
  size_t index_of(uint32_t behind) const {
    const size_t index = size_t{head_} + behind;
    return index < cells_.capacity() ? index : index - cells_.capacity();
  }

  Reserved<T> cells_;
  uint32_t head_ = 0;
  uint32_t size_ = 0;
};

}  // namespace stampede
