// The names that a head may hold: methods, header fields, hosts. What they mean for a request is
// the parser's.
#pragma once

#include <cstdint>
#include <string_view>

#include "http/parser.h"

namespace stampede::http {

// False for what HTTP does not know and for CONNECT, which asks for a tunnel.
[[nodiscard]] bool method_of(std::string_view name, Method& method);

enum class Field : uint8_t {
  other,
  host,
  content_length,
  transfer_encoding,
  connection,
  expect,
  user_id,
  authorization,
  idempotency_key,
  signature,
  content_type,
  if_none_match,
};

// In any case; `name` consists of bytes of tokens.
[[nodiscard]] Field field_of(std::string_view name);

// Fields that say where a message ends.
[[nodiscard]] constexpr bool is_framing(Field field) {
  return field == Field::content_length || field == Field::transfer_encoding;
}

// Fields whose second line would leave a doubt about the framing or about who is asking.
[[nodiscard]] constexpr bool is_single(Field field) {
  return field != Field::other && field != Field::connection && field != Field::if_none_match;
}

// uri-host [ ":" port ], RFC 9110 7.2, of bytes that all are kAuthority. The host may not be empty
// (RFC 9110 4.2.1).
[[nodiscard]] bool is_authority(std::string_view text);

}  // namespace stampede::http
