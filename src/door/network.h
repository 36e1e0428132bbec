// Addresses as the door counts and blocks them: IPv4 by the whole address, IPv6 by its first 64 bits, because one customer
// gets a whole /64 and may use any address of it. An IPv4 address that was mapped into IPv6 is the IPv4 address.
//
// A network is the beginning of such an address. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "door/address.h"

namespace stampede::door {

struct Network {
  uint64_t bits = 0;   // from the highest on; what lies behind `length` is 0
  uint8_t length = 0;  // of an address 32 or 64
  bool is_ipv6 = false;
  friend bool operator==(const Network&, const Network&) = default;

  // The network of this length that it lies in; `shorter` is at most `length`.
  Network of_length(uint8_t shorter) const;
};

// `10.0.0.1`, `10.0.0.0/8`, `2001:db8::1` (its /64), `2001:db8::/32`. Nothing for anything else: a name, a length that the
// door does not tell apart, a network with bits behind its length.
[[nodiscard]] std::optional<Network> parse_network(std::string_view text);
// Of an address that is known.
[[nodiscard]] Network network_of(const Address& address);
// The one spelling of it: without a length for an IPv4 address, with one for all else.
[[nodiscard]] std::string text_of(const Network& network);

}  // namespace stampede::door
