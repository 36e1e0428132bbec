#include "net/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <optional>

#include "base/check.h"

namespace stampede::net {
namespace {

constexpr std::string_view kUnixPrefix = "unix:";
constexpr size_t kPathBytesMax =
    sizeof(sockaddr_un::sun_path) - 1;  // 107 and the final zero, unix(7)

Error malformed(std::string_view text, const char* what) {
  return {"'" + std::string(text) + "': " + what +
          "; expected ADDR:PORT, [IPV6]:PORT or unix:PATH"};
}

std::optional<uint16_t> parse_port(std::string_view text) {
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return port;
}

Result<Address> parse_unix(std::string_view text) {
  Address address{.family = Address::Family::unix_path};
  address.path = text.substr(kUnixPrefix.size());
  if (address.path.empty()) return malformed(text, "no path");
  if (address.path.size() > kPathBytesMax)
    return malformed(text, "the path is longer than 107 bytes");
  if (address.path.find('\0') != std::string::npos)
    return malformed(text, "a zero byte in the path");
  return address;
}

// Where host ends and port begins: an IPv6 host stands in brackets, so its own colons are not
// asked.
Result<Address> parse_ip(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return malformed(text, "no port");
  const std::optional<uint16_t> port = parse_port(text.substr(colon + 1));
  if (!port) return malformed(text, "the port is not a number from 0 to 65535");

  Address address{.port = *port};
  std::string host(text.substr(0, colon));
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    address.family = Address::Family::ipv6;
    host = host.substr(1, host.size() - 2);
  } else if (host == "localhost") {
    host = "127.0.0.1";
  }
  const int kernel_family = address.family == Address::Family::ipv6 ? AF_INET6 : AF_INET;
  if (host.find('\0') != std::string::npos ||
      ::inet_pton(kernel_family, host.c_str(), address.ip.data()) != 1)
    return malformed(text, "no numeric address");
  return address;
}

}  // namespace

Result<Address> parse_address(std::string_view text) {
  return text.starts_with(kUnixPrefix) ? parse_unix(text) : parse_ip(text);
}

std::string text_of(const Address& address) {
  if (address.family == Address::Family::unix_path) return std::string(kUnixPrefix) + address.path;
  const bool is_ipv6 = address.family == Address::Family::ipv6;
  char host[INET6_ADDRSTRLEN];
  CHECK(::inet_ntop(is_ipv6 ? AF_INET6 : AF_INET, address.ip.data(), host, sizeof host) != nullptr);
  const std::string port = std::to_string(address.port);
  return is_ipv6 ? "[" + std::string(host) + "]:" + port : std::string(host) + ":" + port;
}

bool is_loopback(const Address& address) {
  switch (address.family) {
    case Address::Family::unix_path:
      return true;
    case Address::Family::ipv4:
      return address.ip[0] == 127;
    case Address::Family::ipv6: {
      std::array<uint8_t, 16> loopback{};
      loopback[15] = 1;
      return address.ip == loopback;
    }
  }
  CHECK(false);
}

uint32_t to_kernel(const Address& address, sockaddr_storage& out) {
  out = {};
  if (address.family == Address::Family::unix_path) {
    CHECK(address.path.size() <= kPathBytesMax);
    sockaddr_un kernel{.sun_family = AF_UNIX, .sun_path = {}};
    std::memcpy(kernel.sun_path, address.path.data(), address.path.size());
    std::memcpy(&out, &kernel, sizeof kernel);
    return static_cast<uint32_t>(offsetof(sockaddr_un, sun_path) + address.path.size() + 1);
  }
  if (address.family == Address::Family::ipv6) {
    sockaddr_in6 kernel{};
    kernel.sin6_family = AF_INET6;
    kernel.sin6_port = htons(address.port);
    std::memcpy(&kernel.sin6_addr, address.ip.data(), sizeof kernel.sin6_addr);
    std::memcpy(&out, &kernel, sizeof kernel);
    return sizeof kernel;
  }
  sockaddr_in kernel{};
  kernel.sin_family = AF_INET;
  kernel.sin_port = htons(address.port);
  std::memcpy(&kernel.sin_addr, address.ip.data(), sizeof kernel.sin_addr);
  std::memcpy(&out, &kernel, sizeof kernel);
  return sizeof kernel;
}

Address from_kernel(const sockaddr_storage& in, uint32_t bytes) {
  Address address;
  if (in.ss_family == AF_INET) {
    const auto& kernel = reinterpret_cast<const sockaddr_in&>(in);
    std::memcpy(address.ip.data(), &kernel.sin_addr, sizeof kernel.sin_addr);
    address.port = ntohs(kernel.sin_port);
  } else if (in.ss_family == AF_INET6) {
    const auto& kernel = reinterpret_cast<const sockaddr_in6&>(in);
    const bool is_mapped = IN6_IS_ADDR_V4MAPPED(&kernel.sin6_addr);
    address.family = is_mapped ? Address::Family::ipv4 : Address::Family::ipv6;
    const uint8_t* ip = kernel.sin6_addr.s6_addr;
    std::copy(ip + (is_mapped ? 12 : 0), ip + 16, address.ip.begin());
    address.port = ntohs(kernel.sin6_port);
  } else {
    CHECK(in.ss_family == AF_UNIX);
    address.family = Address::Family::unix_path;
    const auto& kernel = reinterpret_cast<const sockaddr_un&>(in);
    const size_t path_bytes = bytes - std::min<size_t>(bytes, offsetof(sockaddr_un, sun_path));
    address.path.assign(kernel.sun_path, ::strnlen(kernel.sun_path, path_bytes));
  }
  return address;
}

}  // namespace stampede::net
