#include "base/hex.h"

#include <emmintrin.h>

#include <array>
#include <cstring>

#include "base/check.h"

namespace stampede {
namespace {

constexpr char kDigits[] = "0123456789abcdef";

constexpr std::array<char, 512> kByteDigits = [] {
  std::array<char, 512> digits{};
  for (unsigned byte = 0; byte < 256; ++byte) {
    digits[2 * byte] = kDigits[byte >> 4];
    digits[2 * byte + 1] = kDigits[byte & 15];
  }
  return digits;
}();

// 0 … 15, or -1 when the character is no digit.
constexpr int digit_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

// All sixteen digits together, each of them half a byte.
void render_hex64(uint64_t value, std::span<char, kHex64Bytes> out) {
  const __m128i bytes = _mm_cvtsi64_si128(static_cast<int64_t>(__builtin_bswap64(value)));
  const __m128i low_half = _mm_set1_epi8(15);
  const __m128i high = _mm_and_si128(_mm_srli_epi64(bytes, 4), low_half);
  const __m128i halves = _mm_unpacklo_epi8(high, _mm_and_si128(bytes, low_half));
  const __m128i are_letters = _mm_cmpgt_epi8(halves, _mm_set1_epi8(9));
  const __m128i to_letter = _mm_and_si128(are_letters, _mm_set1_epi8('a' - '0' - 10));
  const __m128i digits = _mm_add_epi8(_mm_add_epi8(halves, _mm_set1_epi8('0')), to_letter);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out.data()), digits);
}

std::optional<uint64_t> parse_hex64(std::string_view text) {
  if (text.size() != kHex64Bytes) return std::nullopt;
  uint64_t value = 0;
  for (char c : text) {
    const int digit = digit_value(c);
    if (digit < 0) return std::nullopt;
    value = value << 4 | static_cast<uint64_t>(digit);
  }
  return value;
}

void render_hex(std::span<const uint8_t> bytes, std::span<char> out) {
  CHECK(out.size() == 2 * bytes.size());
  for (size_t i = 0; i < bytes.size(); ++i) std::memcpy(&out[2 * i], &kByteDigits[2 * bytes[i]], 2);
}

bool parse_hex(std::string_view text, std::span<uint8_t> out) {
  if (text.size() != 2 * out.size()) return false;
  for (size_t i = 0; i < out.size(); ++i) {
    const int high = digit_value(text[2 * i]);
    const int low = digit_value(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    out[i] = static_cast<uint8_t>(high << 4 | low);
  }
  return true;
}

}  // namespace stampede
