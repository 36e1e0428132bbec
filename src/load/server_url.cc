#include "load/server_url.h"

#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <memory>

namespace stampede::load {
namespace {

constexpr std::string_view kScheme = "http://";

struct HostPort {
  std::string host, port;
};

// `shop.example:8080`, `[::1]`
HostPort split(std::string_view authority) {
  const size_t bracket = authority.find(']');
  const size_t colon = authority.find(':', bracket == authority.npos ? 0 : bracket);
  if (colon == authority.npos) return {std::string(authority), "80"};
  return {std::string(authority.substr(0, colon)), std::string(authority.substr(colon + 1))};
}

bool is_port(std::string_view text) {
  uint16_t port = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), port);
  return problem == std::errc() && end == text.data() + text.size() && port != 0;
}

Result<net::Address> look_up(const HostPort& server) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(server.host.c_str(), server.port.c_str(), &hints, &found))
    return Error{"'" + server.host + ":" + server.port + "': " + gai_strerror(error)};
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owned(found, freeaddrinfo);
  sockaddr_storage address{};
  std::memcpy(&address, found->ai_addr, found->ai_addrlen);
  return net::from_kernel(address, found->ai_addrlen);
}

}  // namespace

Result<ServerUrl> resolve_url(std::string_view url) {
  if (url.starts_with("unix:")) {
    Result<net::Address> path = net::parse_address(url);
    if (!path) return path.error();
    return ServerUrl{*path, "localhost"};
  }
  std::string_view authority = url.substr(std::min(url.size(), kScheme.size()));
  if (authority.ends_with('/')) authority.remove_suffix(1);
  if (!url.starts_with(kScheme) || authority.empty() ||
      authority.find_first_of("/?#@ ") != authority.npos)
    return Error{"expected http://HOST:PORT or unix:PATH, not '" + std::string(url) + "'"};
  const HostPort server = split(authority);
  if (!is_port(server.port))
    return Error{"expected a port from 1 to 65535, not '" + server.port + "'"};
  const std::string host = server.host + ':' + server.port;
  if (const Result<net::Address> plain = net::parse_address(host)) return ServerUrl{*plain, host};
  const Result<net::Address> found = look_up(server);
  if (!found) return found.error();
  return ServerUrl{*found, host};
}

}  // namespace stampede::load
