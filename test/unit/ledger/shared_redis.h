// One redis-server for all tests of the ledger that need one of the usual kind: it keeps its data when it is restarted.
#pragma once

#include "../../servers/redis_server.h"

namespace stampede::servers {

// Empty, and the same one each time; it ends with the program.
inline RedisServer& empty_redis() {
  static RedisServer server({.append_only = AppendOnly::every_second});
  server.command({"FLUSHALL"});
  return server;
}

}  // namespace stampede::servers
