// A short text stored inside its owner, for messages between shards: they may hold no pointer.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/check.h"

namespace stampede {

template <unsigned N>
class Text {
  static_assert(N <= 255, "the length is one byte");

 public:
  Text() = default;
  Text(std::string_view text) {
    CHECK(text.size() <= N);
    size_ = static_cast<uint8_t>(text.size());
    text.copy(bytes_, N);  // unlike memcpy() it takes the null pointer of an empty view
  }
  std::string_view view() const { return {bytes_, size_}; }
  operator std::string_view() const { return view(); }
  bool empty() const { return size_ == 0; }
  friend bool operator==(const Text& a, const Text& b) { return a.view() == b.view(); }

 private:
  uint8_t size_ = 0;
  char bytes_[N];
};

}  // namespace stampede
