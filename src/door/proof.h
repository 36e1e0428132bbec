// Proofs: how a shop's own check (a captcha, a queue, a login) tells the server that this user may have the link of this
// item. The server asks for nothing else and knows nothing of the check.
//
//   Stampede-Proof: v1.<user>.<item>.<expires-unix>.<key-id>.<mac>
//
// user is base64url without padding; mac is HMAC-SHA256 over everything in front of its dot, base64url without padding. A
// code may hold dots; the item that is asked for says how many. Exactly one spelling, and worth nothing to another user, for
// another item or after its time.
#pragma once

#include "door/signed_text.h"

namespace stampede::door {

constexpr size_t kProofBytesMax =
    kTokenVersion.size() + 1 + base64url_chars(bounds::user_bytes_max) + 1 +
    bounds::item_code_bytes_max + 1 + kUnixTimeChars + 1 + bounds::key_id_bytes_max + 1 + kMacChars;

// Whether one of the keys signed this for this user and item and now_unix is before its expiry; the mac is compared in
// constant time.
[[nodiscard]] bool verify_proof(std::string_view proof, std::string_view user,
                                std::string_view item, std::span<const Key> keys, int64_t now_unix);

// The result is a view of `out`.
std::string_view mint_proof(std::string_view user, std::string_view item, int64_t expires_unix,
                            const Key& key, std::span<char, kProofBytesMax> out);

}  // namespace stampede::door
