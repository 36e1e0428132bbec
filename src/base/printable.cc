#include "base/printable.h"

#include <cstdint>

namespace stampede {
namespace {

void append_escaped(char byte, std::string& out) {
  constexpr char digits[] = "0123456789abcdef";
  out.append("\\x").append(1, digits[static_cast<uint8_t>(byte) >> 4]).append(1, digits[byte & 15]);
}

// Bytes of the character in front, as UTF-8 (RFC 3629) has it; 0: it is none.
size_t character_bytes(std::string_view text) {
  const auto byte = [&](size_t at) { return static_cast<uint8_t>(text[at]); };
  if (byte(0) < 0x80) return 1;
  const size_t bytes = byte(0) < 0xe0 ? 2 : byte(0) < 0xf0 ? 3 : 4;
  if (byte(0) < 0xc2 || byte(0) > 0xf4 || text.size() < bytes) return 0;
  for (size_t at = 1; at < bytes; ++at)
    if ((byte(at) & 0xc0) != 0x80) return 0;
  const bool is_overlong =
      (byte(0) == 0xe0 && byte(1) < 0xa0) || (byte(0) == 0xf0 && byte(1) < 0x90);
  const bool is_surrogate = byte(0) == 0xed && byte(1) >= 0xa0;
  const bool is_beyond = byte(0) == 0xf4 && byte(1) >= 0x90;
  return is_overlong || is_surrogate || is_beyond ? 0 : bytes;
}

bool is_control(std::string_view character) {
  const auto first = static_cast<uint8_t>(character[0]);
  if (character.size() == 1) return first < 0x20 || first == 0x7f;
  return first == 0xc2 && static_cast<uint8_t>(character[1]) < 0xa0;
}

}  // namespace

std::string printable(std::string_view text, std::string_view escaped_too) {
  std::string out;
  while (!text.empty()) {
    const size_t bytes = character_bytes(text);
    const std::string_view character = text.substr(0, bytes == 0 ? 1 : bytes);
    if (bytes == 0 || is_control(character) || escaped_too.find(character) != escaped_too.npos)
      for (const char byte : character) append_escaped(byte, out);
    else
      out += character;
    text.remove_prefix(character.size());
  }
  return out;
}

std::string printable_ascii(std::string_view text) {
  std::string out;
  for (const char byte : text)
    if (byte >= ' ' && byte <= '~')
      out += byte;
    else
      append_escaped(byte, out);
  return out;
}

}  // namespace stampede
