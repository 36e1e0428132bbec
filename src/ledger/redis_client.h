// A blocking connection to the ledger's Redis, for the coordinator's thread and for commands: finds the server (a name, or
// what the sentinels say), checks that it can be a ledger, calls scripts. Every call has a deadline.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "ledger/epoch_link.h"
#include "ledger/redis_url.h"
#include "ledger/scripts.h"

struct redisContext;

namespace stampede::ledger {

// What a user of Redis' access list needs; without it the default user's rights do. INFO is not in @read or @write (Redis
// counts it as @dangerous), and every script asks it whether this Redis is still the one that it was.
//   ACL SETUSER sale on >password ~stampede:{ledger}:* +info …
constexpr std::string_view kRedisRights =
    "~stampede:{ledger}:* +info +select +script|load +evalsha +hget +hmget +hset +hgetall +hexists "
    "+del +unlink +exists "
    "+sadd +srem +smembers +spop +sscan";

// What Redis answered: a tree of numbers and texts.
struct RedisValue {
  bool is_nil = false;
  int64_t integer = 0;             // of a number, or of a text that is one
  std::string text;                // of a text, or the number's digits
  std::vector<RedisValue> values;  // of an array
};

class RedisClient {
 public:
  RedisClient(RedisUrl url, int64_t timeout_ms);
  ~RedisClient();
  RedisClient(const RedisClient&) = delete;

  // Connects to the master and checks it: version, role, eviction. The error says what to do.
  Status connect();
  void disconnect();
  [[nodiscard]] bool is_connected() const { return context_ != nullptr; }
  // Where connect() has found it.
  [[nodiscard]] const RedisServer& server() const { return server_; }
  // Asks the sentinels or the cluster whether another server is the master now; false when that cannot be said. A slot that
  // is moved while it is used shows as an error (MOVED, ASK, TRYAGAIN) of a call; connect() finds its new place, and the
  // other identity of the Redis there begins a new epoch.
  [[nodiscard]] bool has_moved();

  // An array whose first value is the script's status. An Error leaves the client disconnected: whether the script ran is
  // not known then.
  Result<RedisValue> call(Script script, const std::vector<std::string>& arguments);
  Result<RedisValue> command(const std::vector<std::string>& words);

 private:
  Result<RedisServer> find_server();
  Result<HostPort> ask_hosts(Result<HostPort> (RedisClient::*ask_one)(redisContext*));
  Result<HostPort> ask_sentinel(redisContext* context);
  Result<HostPort> ask_cluster(redisContext* context);
  Status open(const HostPort& address);
  Status greet();
  Status check();
  Error lose(const std::string& what);

  RedisUrl url_;
  int64_t timeout_ms_;
  redisContext* context_ = nullptr;
  RedisServer server_;
  std::array<std::string, kScriptCount> shas_;
};

}  // namespace stampede::ledger
