// A real redis-sentinel, alone with a quorum of one, that watches one master and fails over quickly.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "redis_server.h"

namespace stampede::servers {

struct SentinelOptions {
  std::string master_name = "sale";
  std::chrono::milliseconds down_after{300};  // without an answer, then a failover begins
};

// Used by the thread that made it, as RedisServer.
class RedisSentinel {
 public:
  // Finds the replicas of `master` by itself, those that come later too.
  explicit RedisSentinel(const RedisServer& master, SentinelOptions options = {});
  RedisSentinel(const RedisSentinel&) = delete;

  uint16_t port() const { return port_; }
  const std::string& master_name() const { return options_.master_name; }
  RedisReply command(const std::vector<std::string>& words) { return client_.command(words); }
  std::string log() const { return read_file(scratch_.path("sentinel.log")); }

  // What it tells clients: SENTINEL GET-MASTER-ADDR-BY-NAME. 0: it knows none.
  uint16_t master_port();
  // Until it has `count` replicas that it would promote.
  void await_replicas(size_t count);
  // Begins a failover although the master is well.
  void force_failover();
  // Until `promoted` is the master, in its own eyes and in those of the sentinel, whether forced or
  // because the master was killed or paused.
  void await_master(RedisServer& promoted);

  void kill();
  void restart();  // on the same port, remembering what it knew

 private:
  void start();
  size_t good_replica_count();

  const SentinelOptions options_;
  const Scratch scratch_;
  const uint16_t port_;
  RedisClient client_;
  std::unique_ptr<Process> process_;
};

}  // namespace stampede::servers
