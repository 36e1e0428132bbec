// An Idempotency-Key as orders carry it.
//
// Clients may send 255 bytes; a mailbox slot, a record and the memory of an order have room for 64, which UUIDs and
// most others fit into. A longer key is carried as " " and the base64url of its 256-bit digest (BLAKE2b), 44 bytes:
// as no key holds a space, no client can name a key that is carried the same way, short or long.
#pragma once

#include <optional>
#include <string_view>

#include "order.h"

namespace stampede::http {

// Nothing when `text` is not 1 … bounds::key_bytes_max bytes of visible ASCII (RFC 5234 VCHAR). No allocation; a key of
// at most bounds::stored_key_bytes_max bytes is copied, a longer one costs a hash.
[[nodiscard]] std::optional<KeyText> carried_key(std::string_view text);

}  // namespace stampede::http
