// A seam: how the parts of a node come by their ways to Redis. real_redis() goes over the network.
#pragma once

#include <memory>

#include "cluster/redis_url.h"
#include "cluster/script_caller.h"
#include "cluster/script_link.h"

namespace stampede::cluster {

class RedisAccess {
 public:
  virtual ~RedisAccess() = default;

  // Each call waits `timeout_ms` at most.
  [[nodiscard]] virtual std::unique_ptr<ScriptCaller> make_caller(const RedisUrl& url,
                                                                  int64_t timeout_ms) = 0;
  // On the reactor of a shard, which outlives the link as the owner does.
  [[nodiscard]] virtual std::unique_ptr<ScriptLink> make_link(net::Net& net, uint64_t token,
                                                              ScriptLink::Owner& owner) = 0;
};

[[nodiscard]] RedisAccess& real_redis();

}  // namespace stampede::cluster
