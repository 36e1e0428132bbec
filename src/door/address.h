// Who asks, as far as an address tells: what a limit of addresses counts as one.
//
// An IPv6 subscriber has 2^64 addresses and usually changes them, so a /64 counts as one; IPv4 counts by the address, and
// an IPv4 address in IPv6's clothes (::ffff:a.b.c.d) is that IPv4 address. Pure; any thread; nothing allocates.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace stampede::door {

// In network order and IPv6's form; IPv4 as ::ffff:a.b.c.d. All zero is no address: the other end of a Unix socket.
struct Address {
  std::array<uint8_t, 16> bytes{};

  bool is_known() const { return *this != Address{}; }
  bool is_ipv4() const;
  friend bool operator==(const Address&, const Address&) = default;
};

[[nodiscard]] Address address_of_ipv4(const uint8_t* four);
// The sixteen bytes as they are; an IPv4-mapped one is IPv4 by its form.
[[nodiscard]] Address address_of_ipv6(const uint8_t* sixteen);

// `192.0.2.1` or `2001:db8::1`, as a gateway writes it: no port, no brackets, no zone, no list, no name. Nothing for
// anything else, and for what is nobody's own address: `::`, 0.0.0.0 and multicast.
[[nodiscard]] std::optional<Address> parse_address(std::string_view text);

// What counts as one: an IPv4 address, an IPv6 /64. Different ones have different numbers; 0: no address.
using AddressGroup = uint64_t;
constexpr AddressGroup kNoGroup = 0;
[[nodiscard]] AddressGroup group_of(const Address& address);

}  // namespace stampede::door
