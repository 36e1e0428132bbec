// Short texts (user ids, keys) that live as long as an order does, in cells of 8, 16, … 64 bytes: an id of 20 bytes
// costs 24, not 64, and a freed cell fits the next text of its class without leaving a hole.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/reserved.h"
#include "base/slab.h"

namespace stampede {

struct TextRef {
  uint32_t cell = kNone;
  uint8_t size = 0;  // bytes; 0: the empty text, without a cell
};

class TextArena {
 public:
  static constexpr unsigned kCellStep = 8;
  static constexpr unsigned kBytesMax = 64;

  explicit TextArena(uint32_t texts_max)
      : classes_{Class(texts_max, 1), Class(texts_max, 2), Class(texts_max, 3),
                 Class(texts_max, 4), Class(texts_max, 5), Class(texts_max, 6),
                 Class(texts_max, 7), Class(texts_max, 8)} {}

  [[nodiscard]] TextRef store(std::string_view text) {
    CHECK(text.size() <= kBytesMax);
    if (text.empty()) return {};
    Class& cells = classes_[class_of(text.size())];
    const uint32_t cell = cells.allocate();
    std::memcpy(cells.at(cell), text.data(), text.size());
    return {cell, static_cast<uint8_t>(text.size())};
  }
  void release(TextRef ref) {
    if (ref.size != 0) classes_[class_of(ref.size)].release(ref.cell);
  }
  std::string_view view(TextRef ref) const {
    if (ref.size == 0) return {};
    return {classes_[class_of(ref.size)].at(ref.cell), ref.size};
  }

 private:
  static unsigned class_of(size_t size) { return static_cast<unsigned>((size - 1) / kCellStep); }

  class Class {
   public:
    Class(uint32_t capacity, unsigned steps)
        : bytes_(size_t{capacity} * steps * kCellStep), steps_(steps) {}
    uint32_t allocate() {
      if (free_ == kNone) {
        bytes_.reach((size_t{fresh_} + 1) * steps_ * kCellStep - 1);
        return fresh_++;  // at() checks the bound
      }
      const uint32_t cell = free_;
      std::memcpy(&free_, at(cell), sizeof free_);
      return cell;
    }
    void release(uint32_t cell) {
      std::memcpy(at(cell), &free_, sizeof free_);
      free_ = cell;
    }
    char* at(uint32_t cell) { return &bytes_[size_t{cell} * steps_ * kCellStep]; }
    const char* at(uint32_t cell) const { return &bytes_[size_t{cell} * steps_ * kCellStep]; }

   private:
    Reserved<char> bytes_;
    unsigned steps_;
    uint32_t free_ = kNone;
    uint32_t fresh_ = 0;
  };

  std::array<Class, kBytesMax / kCellStep> classes_;
};

}  // namespace stampede
