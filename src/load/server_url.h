// A server's address, as people write it: http://shop.example, http://127.0.0.1:8080/ or unix:/run/stampede.sock.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "net/address.h"

namespace stampede::load {

struct ServerUrl {
  net::Address address;
  std::string host;  // for the Host field: the name that was given, with its port
};

// A name is looked up here, once and blocking, and its first address is taken: a server that is measured should not
// change in the middle. Without a port it is 80. The error has the form that was expected, or the name service's message.
[[nodiscard]] Result<ServerUrl> resolve_url(std::string_view url);

}  // namespace stampede::load
