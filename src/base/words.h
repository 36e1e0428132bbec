// Numbers in lines that people read: `1 item`, `2 items`.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace stampede {

// `one` is a noun that takes an s; `many` is for one that does not.
[[nodiscard]] inline std::string counted(uint64_t count, std::string_view one,
                                         std::string_view many = {}) {
  std::string words = std::to_string(count) + ' ';
  if (count == 1) return words.append(one);
  return many.empty() ? words.append(one) + 's' : words.append(many);
}

}  // namespace stampede
