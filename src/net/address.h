// Where a socket listens or who is at its other end: an IP address and port, or the path of a Unix
// socket.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

struct sockaddr_storage;

namespace stampede::net {

struct Address {
  enum class Family : uint8_t { ipv4, ipv6, unix_path };

  Family family = Family::ipv4;
  std::array<uint8_t, 16> ip{};  // network order; IPv4 in the first four bytes, the rest zero
  uint16_t port = 0;             // host order; 0 lets the kernel choose one
  std::string path;              // unix_path only; empty for the unnamed other end of a Unix socket

  friend bool operator==(const Address&, const Address&) = default;
};

// `127.0.0.1:8080`, `[::1]:8080`, `localhost:8080` (127.0.0.1) or `unix:/run/stampede.sock`. Names
// are not looked up: a server should not start elsewhere because a name server said so. The error
// says what was expected.
Result<Address> parse_address(std::string_view text);

// The same form as parse_address() reads.
[[nodiscard]] std::string text_of(const Address& address);

// Only processes of this machine can connect: 127.0.0.0/8, ::1 or a Unix socket.
[[nodiscard]] bool is_loopback(const Address& address);

// To and from the kernel's form. An IPv4 client of an IPv6 socket (::ffff:a.b.c.d) becomes an IPv4
// address, so that a limit per address counts it once. to_kernel() returns the length to pass to
// bind() or connect().
[[nodiscard]] uint32_t to_kernel(const Address& address, sockaddr_storage& out);
[[nodiscard]] Address from_kernel(const sockaddr_storage& in, uint32_t bytes);

}  // namespace stampede::net
