// The ledger's Redis for the coordinator's thread and for commands, blocking: finds the master of each group of items (by
// name, from the sentinels, from the slots of a cluster), connects, calls scripts.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "cluster/redis_connection.h"
#include "cluster/redis_url.h"

namespace stampede::cluster {

class RedisClient {
 public:
  RedisClient(RedisUrl url, int64_t timeout_ms);
  RedisClient(const RedisClient&) = delete;

  [[nodiscard]] uint32_t group_count() const { return url_.group_count(); }
  // Connects to every master that is not connected, and checks it. The error is the first one's; the others may well be
  // connected then.
  Status connect();
  void disconnect();
  void disconnect(uint32_t group);
  [[nodiscard]] bool is_connected(uint32_t group) const;
  [[nodiscard]] bool is_connected() const;  // every group
  // Where connect() has found it.
  [[nodiscard]] const RedisServer& server(uint32_t group) const { return servers_[group]; }
  [[nodiscard]] const std::vector<RedisServer>& servers() const { return servers_; }  // by group
  // Asks the sentinels or the cluster whether another server is the master of any group now; false when none of them answers.
  [[nodiscard]] bool has_moved();

  // An array whose first value is the script's status. An Error leaves the group disconnected: whether the script ran is
  // not known then. While a cluster moves the group's slot its answer ASK is followed; MOVED is an error after which
  // connect() finds the new place. There the Redis has another identity, and a new epoch begins.
  Result<RedisValue> call(uint32_t group, Script script, const std::vector<std::string>& arguments);

 private:
  using Servers = std::vector<RedisServer>;  // by group

  Result<Servers> locate();
  Result<Servers> ask_hosts(Result<Servers> (RedisClient::*ask_one)(RedisConnection&));
  Result<Servers> ask_masters();
  Result<Servers> ask_sentinel(RedisConnection& sentinel);
  Result<Servers> ask_cluster(RedisConnection& node);
  Result<RedisServer> server_at(const std::string& host, uint16_t port) const;
  Status open(uint32_t group);
  RedisConnection* connection_of(uint32_t group) const;
  bool follow(uint32_t group, const std::string& ask);

  RedisUrl url_;
  int64_t timeout_ms_;
  Servers servers_;
  uint32_t unplaced_ = ~uint32_t{0};  // groups whose master must be asked for, a bit each
  std::vector<int64_t> slots_;        // of the groups' keys in a cluster
  std::vector<std::unique_ptr<RedisConnection>> connections_;
};

}  // namespace stampede::cluster
