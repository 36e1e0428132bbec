// Which byte may stand where in HTTP and JSON: one table, one bit for each kind, so that one load answers
// every question.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace stampede::http {

enum ByteKind : uint16_t {
  kToken = 1,  // tchar, RFC 9110 5.6.2: names of methods and fields
  kText = 2,   // what a field's value may hold, RFC 9110 5.5: visible, obs-text, space, tab
  kPath = 4,   // pchar and "/", RFC 3986 3.3
  kDigit = 8,
  kHex = 16,
  // A host and its port, RFC 3986 3.2.2 and 3.2.3, but for the comma: a proxy that joined two Host
  // lines has made a list, and which of the two counts is not ours to choose.
  kAuthority = 32,
  kVisible = 64,  // 0x21 to 0x7e
  kLowerHex = 128,
  // Wider than RFC 3986 3.4: browsers leave [ ] { } | \ ^ ` as they are in a query, and those inside
  // of apps leave UTF-8 too. Nothing of it can end a target or a line. No fragment.
  kQuery = 256,
  kJsonText = 512,  // what stands as it is in a JSON string, RFC 8259 7
};

namespace detail {
constexpr void mark(std::array<uint16_t, 256>& kinds, std::string_view bytes, unsigned kind) {
  for (char byte : bytes) {
    uint16_t& known = kinds[static_cast<uint8_t>(byte)];
    known = static_cast<uint16_t>(known | kind);
  }
}

constexpr std::array<uint16_t, 256> kinds_of_bytes() {
  constexpr std::string_view digits = "0123456789";
  constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  std::array<uint16_t, 256> kinds{};
  mark(kinds, digits, kToken | kPath | kDigit | kHex | kAuthority | kLowerHex);
  mark(kinds, letters, kToken | kPath | kAuthority);
  mark(kinds, "abcdef", kHex | kLowerHex);
  mark(kinds, "ABCDEF", kHex);
  mark(kinds, "!#$%&'*+-.^_`|~", kToken);
  mark(kinds, "-._~!$&'()*+,;=:@/%", kPath);
  mark(kinds, "-._~!$&'()*+;=%:[]", kAuthority);
  for (unsigned byte = 0x21; byte <= 0x7e; ++byte) kinds[byte] |= kVisible | kText | kQuery;
  kinds['#'] &= static_cast<uint16_t>(~kQuery);
  for (unsigned byte = 0x80; byte <= 0xff; ++byte) kinds[byte] |= kText | kQuery;
  mark(kinds, " \t", kText);
  for (unsigned byte = 0x20; byte <= 0xff; ++byte) kinds[byte] |= kJsonText;
  for (const uint8_t byte : {'"', '\\'}) kinds[byte] &= static_cast<uint16_t>(~kJsonText);
  return kinds;
}
}  // namespace detail

inline constexpr std::array<uint16_t, 256> kByteKinds = detail::kinds_of_bytes();

[[nodiscard]] constexpr bool is_a(char byte, ByteKind kind) {
  return (kByteKinds[static_cast<uint8_t>(byte)] & kind) != 0;
}

[[nodiscard]] constexpr bool all_are(std::string_view text, ByteKind kind) {
  for (char byte : text) {
    if (!is_a(byte, kind)) return false;
  }
  return true;
}

// The first byte that is none of the kind, or `end`.
[[nodiscard]] constexpr const char* end_of(const char* p, const char* end, ByteKind kind) {
  for (; end - p >= 4; p += 4) {
    if (!is_a(p[0], kind)) return p;
    if (!is_a(p[1], kind)) return p + 1;
    if (!is_a(p[2], kind)) return p + 2;
    if (!is_a(p[3], kind)) return p + 3;
  }
  while (p < end && is_a(*p, kind)) ++p;
  return p;
}

// ASCII only; `lower` is in lower case already.
[[nodiscard]] constexpr bool equals_ignoring_case(std::string_view text, std::string_view lower) {
  if (text.size() != lower.size()) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    char byte = text[i];
    if (byte >= 'A' && byte <= 'Z') byte = static_cast<char>(byte + ('a' - 'A'));
    if (byte != lower[i]) return false;
  }
  return true;
}

[[nodiscard]] constexpr std::string_view trim_spaces(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// The members of a comma-separated list that holds no quoted strings, one after the other; empty
// ones are part of no list (RFC 9110 5.6.1.2). False at the end.
[[nodiscard]] constexpr bool take_member(std::string_view& list, std::string_view& member) {
  while (!list.empty()) {
    const std::string_view first = list.substr(0, list.find(','));
    list.remove_prefix(first.size() < list.size() ? first.size() + 1 : first.size());
    member = trim_spaces(first);
    if (!member.empty()) return true;
  }
  return false;
}

}  // namespace stampede::http
