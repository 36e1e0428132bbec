// The named secrets that everything is signed with, as the key file holds them:
//
//   {"tickets":{"k1":"…64 hex digits…"},"links":{"k1":"…"},"payments":{"k1":"…"},
//    "proofs":{"k1":"…"},"codes":{"k1":"…"}}
//
// Several keys a kind may be valid at once, so that a gateway can change over without a gap: add
// the new key, have everybody sign with it, remove the old one. Where the server signs itself, it is by the newest key of the
// kind: the last one in the file. A value: the reader of a changed
// file swaps it whole.
#pragma once

#include <nettle/hmac.h>
#include <sys/types.h>

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/text.h"
#include "bounds.h"

namespace stampede::door {

constexpr size_t kSecretBytes = 32;  // what the key file promises
constexpr size_t kMacBytes = SHA256_DIGEST_SIZE;
using Secret = std::array<uint8_t, kSecretBytes>;
using Mac = std::array<uint8_t, kMacBytes>;

// One secret, ready to sign. HMAC begins by hashing the padded key twice (RFC 2104); doing that
// once a key instead of once a message halves the cost of checking a ticket. Nettle's SHA-256 uses the processor's instructions for
// it, where there are some, which halves it again.
class Key {
 public:
  // `id` is 1 … 32 of [A-Za-z0-9_-].
  Key(std::string_view id, const Secret& secret);

  std::string_view id() const { return id_; }

  // HMAC-SHA256 of the parts, one behind the other.
  [[nodiscard]] Mac sign(std::span<const std::string_view> parts) const;
  // Whether that is `mac`.
  [[nodiscard]] bool is_mac_of(std::span<const std::string_view> parts, const Mac& mac) const;

 private:
  Text<bounds::key_id_bytes_max> id_;
  hmac_sha256_ctx keyed_;
};

// In constant time: how many bytes are right must not show.
[[nodiscard]] bool are_equal(const Mac& a, const Mac& b);

struct Keys {
  std::vector<Key> tickets;  // in the order of the file
  std::vector<Key> links;
  std::vector<Key> payments;
  std::vector<Key> proofs;
  std::vector<Key> codes;
};

// What the server signs with; null when there is none.
[[nodiscard]] inline const Key* newest(std::span<const Key> keys) {
  return keys.empty() ? nullptr : &keys.back();
}

// Null when there is none of this id.
[[nodiscard]] const Key* find_key(std::span<const Key> keys, std::string_view id);

[[nodiscard]] bool is_key_id(std::string_view text);

// A whole key file; the error is `file:line: kind.id: reason` and never shows a secret.
[[nodiscard]] Result<Keys> parse_keys(std::string_view text, std::string_view file_name);

// A new key file: one random key of each kind, called k1. Needs sodium_init().
[[nodiscard]] std::string make_key_file();

// Why a key file with these permissions is refused; nothing when it is private. The rule is
// PostgreSQL's: only the owner may read it, or, when root owns it, a group too.
[[nodiscard]] std::optional<std::string_view> refuse_permissions(mode_t mode, uid_t owner);

}  // namespace stampede::door
