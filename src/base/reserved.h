// An array of fixed capacity whose memory the kernel gives page by page as it is first touched: reserving costs address
// space only, so bounds can be generous and nothing is ever moved, copied or allocated while orders flow.
// Cells start as zero bytes. One owner thread at a time.
#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "base/check.h"
#include "base/words.h"

namespace stampede {

// Memory that is read at random all over (the heads of a hash table) is given at once and in huge pages: with 4 KiB pages
// every look-up would miss the TLB too, and begin with a page fault. Only advice; without huge pages all works the same.
// Everything else fills from its beginning: a huge page in the middle of a rush can take 100 ms to be found, and page
// faults for each 4 KiB cost twice as much as calls that ask for 16 pages each (reach()).
enum class Touch : uint8_t { lazily, at_start };

template <typename T>
class Reserved {
  static_assert(std::is_trivially_copyable_v<T>,
                "cells begin as zero bytes and are never destroyed");

 public:
  explicit Reserved(size_t capacity, Touch touch = Touch::lazily) : capacity_(capacity) {
    if (capacity == 0) return;
    void* memory = mmap(nullptr, capacity * sizeof(T), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
      fatal(kExitFailure,
            "cannot reserve %s of address space: raise the limit (ulimit -v) or lower "
            "--orders-max",
            size_text(capacity * sizeof(T)).c_str());
    cells_ = static_cast<T*>(memory);
    if (touch == Touch::at_start) {
      madvise(memory, capacity * sizeof(T), MADV_HUGEPAGE);
      madvise(memory, capacity * sizeof(T), MADV_POPULATE_WRITE);
    }
  }
  Reserved(Reserved&& other) noexcept
      : cells_(std::exchange(other.cells_, nullptr)),
        capacity_(std::exchange(other.capacity_, 0)),
        reached_(std::exchange(other.reached_, 0)) {}
  Reserved& operator=(Reserved&& other) noexcept {
    std::swap(cells_, other.cells_);
    std::swap(capacity_, other.capacity_);
    std::swap(reached_, other.reached_);
    return *this;
  }
  ~Reserved() {
    if (cells_ != nullptr) munmap(cells_, capacity_ * sizeof(T));
  }

  T& operator[](size_t index) {
    CHECK(index < capacity_);
    return cells_[index];
  }
  const T& operator[](size_t index) const {
    CHECK(index < capacity_);
    return cells_[index];
  }
  size_t capacity() const { return capacity_; }

  // For an array that is filled from its beginning: the cells up to this one, and some pages ahead, have memory. Only
  // advice: kernels before 5.14 give it at the first touch.
  void reach(size_t index) {
    if (index < reached_) [[likely]]
      return;
    const size_t begin = reached_ * sizeof(T) / kStepBytes * kStepBytes;
    const size_t end = std::min((index + 1) * sizeof(T) + kStepBytes, capacity_ * sizeof(T));
    madvise(reinterpret_cast<char*>(cells_) + begin, end - begin, MADV_POPULATE_WRITE);
    reached_ = end / sizeof(T);
  }

 private:
  static constexpr size_t kStepBytes = 64 * 1024;

  T* cells_ = nullptr;
  size_t capacity_;
  size_t reached_ = 0;  // cells below have been asked for by reach()
};

}  // namespace stampede
