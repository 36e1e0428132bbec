// Hexadecimal digits: order ids, secrets, signatures. Rendered in lower case; read in either.
// Pure functions: any thread, no allocation.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace stampede {

constexpr size_t kHex64Bytes = 16;  // digits of 64 bits

// All 16 digits, the highest first: 0a1b2c3d4e5f6789.
void render_hex64(uint64_t value, std::span<char, kHex64Bytes> out);

// The same as a value: an order id, a chain value.
class Hex64Text {
 public:
  explicit Hex64Text(uint64_t value) { render_hex64(value, digits_); }
  std::string_view view() const { return {digits_.data(), digits_.size()}; }

 private:
  std::array<char, kHex64Bytes> digits_;
};

// Exactly 16 digits, else nothing.
[[nodiscard]] std::optional<uint64_t> parse_hex64(std::string_view text);

// Two digits a byte; `out` must have exactly that room.
void render_hex(std::span<const uint8_t> bytes, std::span<char> out);

// True when `text` is exactly two digits for each byte of `out`, which then holds them; otherwise
// `out` is undefined.
[[nodiscard]] bool parse_hex(std::string_view text, std::span<uint8_t> out);

}  // namespace stampede
