// One redis-server for all tests of the ledger that need one of the usual kind: it keeps its data when it is restarted.
#pragma once

#include "../../servers/redis_server.h"

namespace stampede::servers {

// As the test before left it, or this one so far.
inline RedisServer& shared_redis() {
  static RedisServer server({.append_only = AppendOnly::written});
  return server;
}

inline RedisServer& empty_redis() {
  shared_redis().command({"FLUSHALL"});
  return shared_redis();
}

}  // namespace stampede::servers
