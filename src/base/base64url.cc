#include "base/base64url.h"

#include <array>

#include "base/check.h"

namespace stampede {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

constexpr uint8_t kNoDigit = 64;
constexpr std::array<uint8_t, 256> kValues = [] {
  std::array<uint8_t, 256> values;
  values.fill(kNoDigit);
  for (uint8_t value = 0; value < kAlphabet.size(); ++value)
    values[static_cast<uint8_t>(kAlphabet[value])] = value;
  return values;
}();

struct Digits {
  uint32_t bits = 0;  // the last digit's on the right
  bool are_valid = true;
};

// Of at most four.
Digits digits_of(std::string_view text) {
  uint32_t bits = 0, seen = 0;
  for (char c : text) {
    const uint8_t value = kValues[static_cast<uint8_t>(c)];
    bits = bits << 6 | value;
    seen |= value;
  }
  return {.bits = bits, .are_valid = (seen & kNoDigit) == 0};
}

}  // namespace

void render_base64url(std::span<const uint8_t> bytes, std::span<char> out) {
  CHECK(out.size() == base64url_chars(bytes.size()));
  uint32_t bits = 0;  // the newest on the right; only the lowest `count` are still to be written
  unsigned count = 0;
  auto next = out.begin();
  for (uint8_t byte : bytes) {
    bits = bits << 8 | byte;
    for (count += 8; count >= 6; count -= 6) *next++ = kAlphabet[bits >> (count - 6) & 63];
  }
  if (count > 0) *next = kAlphabet[bits << (6 - count) & 63];
}

std::optional<size_t> parse_base64url(std::string_view text, std::span<uint8_t> out) {
  const size_t size = text.size() * 6 / 8;
  if (text.size() % 4 == 1 || size > out.size()) return std::nullopt;
  auto next = out.begin();
  for (; text.size() >= 4; text.remove_prefix(4), next += 3) {
    const Digits digits = digits_of(text.substr(0, 4));
    if (!digits.are_valid) return std::nullopt;
    next[0] = static_cast<uint8_t>(digits.bits >> 16);
    next[1] = static_cast<uint8_t>(digits.bits >> 8);
    next[2] = static_cast<uint8_t>(digits.bits);
  }
  const Digits digits = digits_of(text);
  unsigned count = static_cast<unsigned>(text.size()) * 6;
  for (; count >= 8; count -= 8) *next++ = static_cast<uint8_t>(digits.bits >> (count - 8));
  if (!digits.are_valid || (digits.bits & ((1u << count) - 1)) != 0) return std::nullopt;
  return size;
}

}  // namespace stampede
