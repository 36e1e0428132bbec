#include "base/printable.h"

#include <cstdint>

namespace stampede {
namespace {

void append_escaped(char byte, std::string& out) {
  constexpr char digits[] = "0123456789abcdef";
  out.append("\\x").append(1, digits[static_cast<uint8_t>(byte) >> 4]).append(1, digits[byte & 15]);
}

bool is_c1(std::string_view text) {
  return text.size() >= 2 && text[0] == '\xc2' && static_cast<uint8_t>(text[1]) < 0xa0;
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  for (; !text.empty(); text.remove_prefix(1)) {
    const auto byte = static_cast<uint8_t>(text[0]);
    if (is_c1(text)) {
      append_escaped(text[0], out);
      append_escaped(text[1], out);
      text.remove_prefix(1);
    } else if (byte < 0x20 || byte == 0x7f) {
      append_escaped(text[0], out);
    } else {
      out += text[0];
    }
  }
  return out;
}

}  // namespace stampede
