// Seconds since 1970 as tickets and signatures carry them: decimal digits, one spelling for one
// number.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>

namespace stampede::door {

// Nothing for a sign, a leading zero, zero itself, anything behind the digits, or more than 63
// bits.
[[nodiscard]] inline std::optional<int64_t> parse_unix_time(std::string_view text) {
  if (text.empty() || text.front() < '1' || text.front() > '9') return std::nullopt;
  int64_t seconds;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return seconds;
}

}  // namespace stampede::door
