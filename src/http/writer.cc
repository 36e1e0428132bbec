#include "http/writer.h"

#include <algorithm>
#include <charconv>

#include "base/hex.h"
#include "base/time_text.h"
#include "http/bytes.h"

namespace stampede::http {
namespace {

// What stands as it is in a JSON string.
size_t plain_bytes(std::string_view utf8) {
  return static_cast<size_t>(end_of(utf8.data(), utf8.data() + utf8.size(), kJsonText) -
                             utf8.data());
}

}  // namespace

Writer& Writer::raw(std::string_view text) {
  if (char* place = reserve(text.size())) std::copy(text.begin(), text.end(), place);
  return *this;
}

Writer& Writer::quoted(std::string_view utf8) {
  if (plain_bytes(utf8) < utf8.size()) return escaped(utf8);
  char* const place = reserve(utf8.size() + 2);
  if (!place) return *this;
  place[0] = place[utf8.size() + 1] = '"';
  std::copy(utf8.begin(), utf8.end(), place + 1);
  return *this;
}

Writer& Writer::escaped(std::string_view utf8) {
  constexpr std::string_view hex = "0123456789abcdef";
  literal("\"");
  while (!utf8.empty()) {
    const size_t plain = plain_bytes(utf8);
    raw(utf8.substr(0, plain));
    utf8.remove_prefix(plain);
    if (utf8.empty()) break;
    const char byte = utf8[0];
    if (byte == '"' || byte == '\\') {
      const char escaped[] = {'\\', byte};
      raw({escaped, 2});
    } else {
      const char escaped[] = {'\\',          'u', '0', '0', hex[static_cast<uint8_t>(byte) >> 4],
                              hex[byte & 15]};
      raw({escaped, 6});
    }
    utf8.remove_prefix(1);
  }
  return literal("\"");
}

Writer& Writer::number(int64_t value) {
  return in_digits(value);
}

Writer& Writer::number(uint64_t value) {
  return in_digits(value);
}

// Where there is room for the longest, in its place.
template <typename Integer>
Writer& Writer::in_digits(Integer value) {
  constexpr size_t digits_max = 20;
  if (!is_full_ && static_cast<size_t>(end_ - p_) >= digits_max) {
    p_ = std::to_chars(p_, end_, value).ptr;
    return *this;
  }
  char digits[digits_max];
  return raw({digits, std::to_chars(digits, digits + digits_max, value).ptr});
}

Writer& Writer::quoted_id(OrderId id) {
  char* place = reserve(kHex64Bytes + 2);
  if (!place) return *this;
  place[0] = place[kHex64Bytes + 1] = '"';
  render_hex64(id.value, std::span<char, kHex64Bytes>(place + 1, kHex64Bytes));
  return *this;
}

Writer& Writer::quoted_time(int64_t wall_ms) {
  char* place = reserve(kTimeTextBytes + 2);
  if (!place) return *this;
  place[0] = place[kTimeTextBytes + 1] = '"';
  render_time(wall_ms, std::span<char, kTimeTextBytes>(place + 1, kTimeTextBytes));
  return *this;
}

}  // namespace stampede::http
