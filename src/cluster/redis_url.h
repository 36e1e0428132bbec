// The address of the shared ledger, as it is written on the command line:
//
//   redis://[user:password@]host[:port][/database]
//   redis+sentinel://[user:password@]host[:port],host[:port],…/master[/database][?sentinel_password=…&sentinel_user=…]
//   redis+cluster://[user:password@]host[:port],host[:port],…
//
// User and password are percent-decoded and are those of the data servers. Sentinels have accounts of their own: a name or
// password that is not given for them is not sent.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cluster/scripts.h"

namespace stampede::cluster {

struct HostPort {
  std::string host;  // a name or an address
  uint16_t port = 0;
  friend bool operator==(const HostPort&, const HostPort&) = default;
};
[[nodiscard]] std::string text_of(const HostPort& server);

struct RedisUrl {
  enum class Kind : uint8_t { single, sentinel, cluster };
  Kind kind = Kind::single;
  std::vector<HostPort> hosts;  // one, or all that may be asked
  std::string user, password;   // empty: none
  std::string sentinel_user, sentinel_password;
  std::string master;  // sentinel: its name
  uint32_t database = 0;

  // One Redis has all items; the masters of a cluster share them, and each goes on without the others.
  [[nodiscard]] uint32_t group_count() const { return kind == Kind::cluster ? kGroupsMax : 1; }
};

[[nodiscard]] bool is_redis_url(std::string_view url);
[[nodiscard]] Result<RedisUrl> parse_redis_url(std::string_view url);
// For the operator's eyes: without the passwords.
[[nodiscard]] std::string text_of(const RedisUrl& url);

}  // namespace stampede::cluster
