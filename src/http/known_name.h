// Names of fields that mean something here, found with their colon by one comparison of sixteen bytes: nearly every line of a
// head has one, and then no byte of the name needs a look of its own.
//
// Pure: no system call, no clock, no allocation, any thread.
#pragma once

#include <emmintrin.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "http/names.h"

namespace stampede::http {

// `colon` is null when a line begins with none of these names, or not all of it is there: the name has to be read by bytes.
struct KnownName {
  const char* colon = nullptr;
  Field field = Field::other;
};

namespace detail {

struct NamedField {
  std::string_view lower;
  Field field = Field::other;
};

constexpr NamedField kNamedFields[] = {
    {"host", Field::host},
    {"expect", Field::expect},
    {"origin", Field::origin},
    {"x-user-id", Field::user_id},
    {"connection", Field::connection},
    {"content-type", Field::content_type},
    {"authorization", Field::authorization},
    {"if-none-match", Field::if_none_match},
    {"content-length", Field::content_length},
    {"stampede-proof", Field::proof},
    {"idempotency-key", Field::idempotency_key},
    {"content-encoding", Field::content_encoding},
    {"transfer-encoding", Field::transfer_encoding},
    {"stampede-signature", Field::signature},
};
constexpr size_t kFieldNameBytesMax = 18;

// Its size and one bit of its first letter, in any case, tell a name from all others.
constexpr size_t place_of_name(size_t size, char first) {
  const auto bits = unsigned{static_cast<unsigned char>(first)};
  return size * 2 + ((bits >> 3 ^ bits >> 4) & 1);
}

constexpr auto kFieldsByPlace = [] {
  std::array<NamedField, 2 * (kFieldNameBytesMax + 1)> by_place;
  for (const NamedField& known : kNamedFields) {
    NamedField& here = by_place[place_of_name(known.lower.size(), known.lower[0])];
    if (here.field != Field::other) throw "two names have one place";
    here = known;
  }
  return by_place;
}();

// A name and its colon: the bytes that a line begins with, once those in `case_bits` are set in it. Only a letter has a case: a
// CR would become a hyphen by it.
struct NamePattern {
  alignas(16) std::array<char, 16> lower{};
  alignas(16) std::array<char, 16> case_bits{};
  Field field = Field::other;
};

// By the place of the name, of those that leave room for a colon.
constexpr auto kNamePatterns = [] {
  std::array<NamePattern, 2 * 16> patterns;
  for (size_t place = 0; place < patterns.size(); ++place) {
    const std::string_view name = kFieldsByPlace[place].lower;
    if (name.empty()) continue;
    NamePattern& pattern = patterns[place];
    pattern.field = kFieldsByPlace[place].field;
    for (size_t i = 0; i < name.size(); ++i) {
      pattern.lower[i] = name[i];
      pattern.case_bits[i] = name[i] == '-' ? '\0' : ' ';
    }
    pattern.lower[name.size()] = ':';
  }
  return patterns;
}();

}  // namespace detail

// Looks at sixteen bytes from `p` on, or at none when `end` is nearer.
[[nodiscard]] inline KnownName find_known_name(const char* p, const char* end) {
  if (end - p < 16) return {};
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  const int colons = _mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(':')));
  if (colons == 0) return {};
  const auto size = static_cast<unsigned>(__builtin_ctz(static_cast<unsigned>(colons)));
  const detail::NamePattern& pattern = detail::kNamePatterns[detail::place_of_name(size, *p)];
  const auto* const lower = reinterpret_cast<const __m128i*>(pattern.lower.data());
  const auto* const case_bits = reinterpret_cast<const __m128i*>(pattern.case_bits.data());
  const __m128i folded = _mm_or_si128(bytes, _mm_load_si128(case_bits));
  const int equal = _mm_movemask_epi8(_mm_cmpeq_epi8(folded, _mm_load_si128(lower)));
  // The first bytes are equal, up to the colon.
  if ((~equal & ((2 << size) - 1)) != 0) return {};
  return {.colon = p + size, .field = pattern.field};
}

}  // namespace stampede::http
