// Payment signatures: how the payment provider proves that a notice comes from it and is fresh.
//
//   Stampede-Signature: t=<unix>,v1=<hex HMAC-SHA256 of "<t>.<body>">
//
// The time comes first. While the provider replaces its key it signs with both: several v1=, at most as many as a kind has keys. Members
// of other names are of schemes that we do not know, and are ignored.
// The time is signed with the body, so a notice that somebody recorded is worth nothing five
// minutes later.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "door/keys.h"

namespace stampede::door {

// True when the header's value holds a signature of the body by any of the keys, made at most
// bounds::signature_skew_s_max seconds before or after now_unix. No allocation; constant-time
// compare.
[[nodiscard]] bool verify_signature(std::string_view header, std::string_view body,
                                    std::span<const Key> keys, int64_t now_unix);

// The header's value for a body signed at `at_unix`, which is above 0.
[[nodiscard]] std::string make_signature(std::string_view body, int64_t at_unix, const Key& key);

}  // namespace stampede::door
