// base64url without padding (RFC 4648 section 5): four characters for three bytes.
//
// Why not libsodium's: sodium_base642bin of 1.0.18 reads every byte above 127 as `_`, so one value
// would have many spellings. A ticket has exactly one.
//
// Pure functions: any thread, no allocation. Not in constant time: nothing that is decoded or
// encoded here is secret.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace stampede {

constexpr size_t base64url_chars(size_t bytes) {
  return (bytes * 4 + 2) / 3;
}

// Writes base64url_chars(bytes.size()) characters; `out` must have exactly that room.
void render_base64url(std::span<const uint8_t> bytes, std::span<char> out);

// How many bytes were written to the front of `out`. Nothing when the text has another character,
// padding, a length that no bytes have, unused bits that are not zero, or more bytes than there is
// room for.
[[nodiscard]] std::optional<size_t> parse_base64url(std::string_view text, std::span<uint8_t> out);

}  // namespace stampede
