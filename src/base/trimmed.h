// Lines of the files that people write: without the blanks around them, and without the \r of an editor elsewhere.
#pragma once

#include <string_view>

namespace stampede {

constexpr std::string_view kBlanks = " \t\r";

inline std::string_view trimmed(std::string_view line) {
  const size_t first = line.find_first_not_of(kBlanks);
  if (first == line.npos) return {};
  return line.substr(first, line.find_last_not_of(kBlanks) + 1 - first);
}

// Some editors put one in front of a text.
inline std::string_view without_byte_order_mark(std::string_view text) {
  constexpr std::string_view kMark = "\xef\xbb\xbf";
  if (text.starts_with(kMark)) text.remove_prefix(kMark.size());
  return text;
}

}  // namespace stampede
