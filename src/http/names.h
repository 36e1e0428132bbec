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
  proof,
  content_type,
  content_encoding,
  if_none_match,
  origin,
};

// In any case; `name` consists of bytes of tokens.
[[nodiscard]] Field field_of(std::string_view name);

// Fields that say where a message ends.
[[nodiscard]] constexpr bool is_framing(Field field) {
  return field == Field::content_length || field == Field::transfer_encoding;
}

// Fields whose second line would leave a doubt about the framing or about who is asking.
[[nodiscard]] constexpr bool is_single(Field field) {
  switch (field) {
    case Field::other:
    case Field::connection:
    case Field::expect:
    case Field::transfer_encoding:
    case Field::content_encoding:
    case Field::if_none_match:
      return false;  // lists: several lines are one list (RFC 9110 5.3)
    default:
      return true;
  }
}

// uri-host [ ":" port ], RFC 9110 7.2, of bytes that all are kAuthority. The host may not be empty
// (RFC 9110 4.2.1) and carries no user (4.2.4).
[[nodiscard]] bool is_authority(std::string_view text);

// The host of an authority, without its port: "[::1]:80" is "[::1]".
[[nodiscard]] std::string_view host_of(std::string_view authority);

}  // namespace stampede::http
