// Links of hidden sales: what POST /v1/items/{code}/link gives while a sale is open, and the order must bring back. Until
// then nobody knows the door, so nobody can stand in front of it.
//
//   v1.<expires-unix>.<key-id>.<mac>
//
// mac is HMAC-SHA256 over "link <user> <item> v1.<expires-unix>.<key-id>", base64url without padding. Neither a user id nor
// a code holds a space, so no two of them make the same text. The server keeps nothing of a link: whoever has the key can
// check it, each shard, each node and the process after a restart. It is worth nothing to another user, for another item, or
// after bounds::link_valid_s; there is exactly one spelling of it.
//
// A clock that is set back cannot make a link live for ever: one that would be valid for longer than a new one, and longer
// than clocks of nodes may differ, is refused. Then, and after a clock was set forward, the buyer asks for another.
#pragma once

#include "door/signed_text.h"

namespace stampede::door {

constexpr size_t kLinkBytesMax =
    kTokenVersion.size() + 1 + kUnixTimeChars + 1 + bounds::key_id_bytes_max + 1 + kMacChars;

// When a link that is made now expires.
[[nodiscard]] constexpr int64_t link_expiry(int64_t now_unix) {
  return now_unix + bounds::link_valid_s;
}

// Whether it was given to this user for this item and is valid now; the mac is compared in constant time.
[[nodiscard]] bool verify_link(std::string_view link, std::string_view user, std::string_view item,
                               std::span<const Key> keys, int64_t now_unix);

// The result is a view of `out`.
std::string_view mint_link(std::string_view user, std::string_view item, int64_t expires_unix,
                           const Key& key, std::span<char, kLinkBytesMax> out);

}  // namespace stampede::door
