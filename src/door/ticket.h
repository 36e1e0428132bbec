// User tickets: how a buyer proves who he is without a session or a database.
//
//   v1.<user>.<expires-unix>.<key-id>.<mac>
//
// user is base64url (RFC 4648 section 5) without padding; mac is HMAC-SHA256 over everything in
// front of its dot, base64url without padding. There is exactly one spelling of a ticket: padding,
// leading zeros and non-zero trailing bits are refused, so that a ticket can be blocked by its
// text.
//
// Checked once per request on the path of an order: no allocation, about a microsecond, nearly all
// of it SHA-256.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/base64url.h"
#include "door/keys.h"
#include "order.h"

namespace stampede::door {

constexpr size_t kTicketBytesMax = 2 + 1 + base64url_chars(bounds::user_bytes_max) + 1 + 19 + 1 +
                                   bounds::key_id_bytes_max + 1 + base64url_chars(kMacBytes);

// A user id is 1 … 64 bytes of visible ASCII (0x21 … 0x7e).
[[nodiscard]] bool is_user_id(std::string_view text);

// The user, when one of the keys signed this ticket and now_unix is before its expiry; otherwise
// nothing, whatever is wrong. The mac is compared in constant time.
[[nodiscard]] std::optional<UserText> verify_ticket(std::string_view ticket,
                                                    std::span<const Key> keys, int64_t now_unix);

// Writes a ticket for a user id, valid before `expires_unix` (seconds since 1970, above 0); the
// result is a view of `out`.
std::string_view mint_ticket(std::string_view user, int64_t expires_unix, const Key& key,
                             std::span<char, kTicketBytesMax> out);

}  // namespace stampede::door
