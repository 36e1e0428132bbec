#include "base/quoted.h"

#include <cstdint>

namespace stampede {

void append_quoted(std::string_view utf8, std::string& json) {
  constexpr char digits[] = "0123456789abcdef";
  json += '"';
  for (const char c : utf8) {
    const auto byte = static_cast<uint8_t>(c);
    if (c == '"' || c == '\\') json += '\\';
    if (byte < 0x20)
      json.append("\\u00").append(1, digits[byte >> 4]).append(1, digits[byte & 15]);
    else
      json += c;
  }
  json += '"';
}

}  // namespace stampede
