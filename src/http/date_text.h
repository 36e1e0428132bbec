// The Date of every answer, "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 5.6.7), without the C
// library's locale. Rendered again only when the second changes, so that it may be refreshed in
// every turn. One per shard.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace stampede::http {

class DateText {
 public:
  DateText() { refresh(0); }

  // Wall time since 1970 UTC; outside the years 1970 to 9999 the nearest inside is shown.
  void refresh(int64_t wall_ns);

  std::string_view view() const { return {text_.data(), text_.size()}; }
  int64_t wall_ms() const { return wall_ms_; }  // of the last refresh

 private:
  int64_t second_ = -1;
  int64_t wall_ms_ = 0;
  std::array<char, 29> text_{};
};

}  // namespace stampede::http
