// The real ScriptCaller: finds the master of each group of items (by name, from the sentinels, from the slots of a cluster),
// connects, calls scripts. While a cluster moves a group's slot its answer ASK is followed; MOVED is an error after which
// connect() finds the new place. There the Redis has another identity, and a new epoch begins.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "cluster/redis_connection.h"
#include "cluster/redis_url.h"
#include "cluster/script_caller.h"

namespace stampede::cluster {

class RedisClient final : public ScriptCaller {
 public:
  RedisClient(RedisUrl url, int64_t timeout_ms);
  RedisClient(const RedisClient&) = delete;

  uint32_t group_count() const override { return url_.group_count(); }
  Status connect() override;
  void disconnect() override;
  void disconnect(uint32_t group) override;
  bool is_connected(uint32_t group) const override;
  [[nodiscard]] bool is_connected() const;  // every group
  const std::vector<RedisServer>& servers() const override { return servers_; }
  bool has_moved() override;
  Result<RedisValue> call(uint32_t group, Script script,
                          const std::vector<std::string>& arguments) override;
  void interrupt() override { interruption_.interrupt(); }

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
  Interruption interruption_;
  Servers servers_;
  uint32_t unplaced_ = ~uint32_t{0};  // groups whose master must be asked for, a bit each
  std::vector<int64_t> slots_;        // of the groups' keys in a cluster
  std::vector<std::unique_ptr<RedisConnection>> connections_;
};

}  // namespace stampede::cluster
