// One blocking connection to a Redis, and its commands. Every call has a deadline, and an interruption ends it at once.
#pragma once

#include <array>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "cluster/interruption.h"
#include "cluster/script_caller.h"

struct redisContext;

namespace stampede::cluster {

// The rights that a user of Redis' access list needs; without such a user the default user's rights do. INFO is not in @read or @write (Redis
// counts it as @dangerous), and every script asks it whether this Redis is still the one that it was. ASKING and CLUSTER are
// used with redis+cluster:// only.
//   ACL SETUSER sale on >password ~stampede:{ledger* +info …
constexpr std::string_view kRedisRights =
    "~stampede:{ledger* +info +select +asking +cluster|slots +cluster|keyslot +script|load "
    "+evalsha "
    "+hget +hmget +hset +hgetall +hexists +hkeys +hdel +unlink +exists +sadd +spop +sscan";

class RedisConnection {
 public:
  // The error names the server. The interruption must outlive the connection.
  static Result<std::unique_ptr<RedisConnection>> open(const RedisServer& server,
                                                       int64_t timeout_ms,
                                                       const Interruption& interruption);
  ~RedisConnection();
  RedisConnection(const RedisConnection&) = delete;

  // Authenticates and selects the database; asks nothing of a server that needs neither.
  Status greet();
  // Whether it can be a ledger: version, role, eviction, alone or in a cluster as the URL has it. The error has the remedy.
  Status check(bool is_in_cluster);

  // An Error holds Redis' answer, or why none came; then the connection is broken, and whether the command was done is
  // not known.
  Result<RedisValue> command(const std::vector<std::string>& words);
  // An array whose first value is the script's status.
  Result<RedisValue> call(uint32_t group, Script script, const std::vector<std::string>& arguments);

  [[nodiscard]] bool is_broken() const { return is_broken_; }
  [[nodiscard]] const RedisServer& server() const { return server_; }
  // The error with the server's name and, if an access list refused, the rights to give.
  [[nodiscard]] Error named(const std::string& what) const;

 private:
  using Deadline = std::chrono::steady_clock::time_point;
  RedisConnection(const RedisServer& server, redisContext* context, int64_t timeout_ms,
                  const Interruption& interruption);
  bool has_surplus() const;
  // An empty text: done.
  std::string send(const std::vector<std::string>& words, Deadline deadline);
  std::string receive(void*& reply, Deadline deadline);
  Error broken(const std::string& why);
  Error is_sentinel() const;

  RedisServer server_;
  redisContext* context_;
  const std::chrono::milliseconds timeout_;  // of a whole command
  const Interruption& interruption_;
  bool is_broken_ = false;
  std::array<std::string, kScriptCount> shas_;
};

}  // namespace stampede::cluster
