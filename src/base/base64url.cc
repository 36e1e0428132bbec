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

// The same where a digit stands in a group of four, and which bits no digit has.
constexpr uint32_t kNoGroup = 1u << 31;
constexpr std::array<std::array<uint32_t, 256>, 4> kPlaced = [] {
  std::array<std::array<uint32_t, 256>, 4> placed;
  for (unsigned place = 0; place < 4; ++place)
    for (unsigned byte = 0; byte < 256; ++byte)
      placed[place][byte] =
          kValues[byte] == kNoDigit ? kNoGroup : uint32_t{kValues[byte]} << (6 * (3 - place));
  return placed;
}();

// Of four characters: 24 bits, or kNoGroup and more when one is no digit.
uint32_t group_of(const char* four) {
  const auto placed = [four](unsigned place) {
    return kPlaced[place][static_cast<uint8_t>(four[place])];
  };
  return placed(0) | placed(1) | placed(2) | placed(3);
}

struct Digits {
  uint32_t bits = 0;  // the last digit's on the right
  bool are_valid = true;
};

// Of at most three.
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
  uint8_t* next = out.data();
  uint32_t seen = 0;
  for (; text.size() >= 4; text.remove_prefix(4), next += 3) {
    const uint32_t group = group_of(text.data());
    seen |= group;
    next[0] = static_cast<uint8_t>(group >> 16);
    next[1] = static_cast<uint8_t>(group >> 8);
    next[2] = static_cast<uint8_t>(group);
  }
  if ((seen & kNoGroup) != 0) return std::nullopt;
  const Digits digits = digits_of(text);
  unsigned count = static_cast<unsigned>(text.size()) * 6;
  for (; count >= 8; count -= 8) *next++ = static_cast<uint8_t>(digits.bits >> (count - 8));
  if (!digits.are_valid || (digits.bits & ((1u << count) - 1)) != 0) return std::nullopt;
  return size;
}

}  // namespace stampede
