// What stands beside the nodes of a simulation and outlives them: the clock, the database, and for nodes that share their ledger
// Redis servers and the registry.
#pragma once

#include <memory>
#include <string>

#include "../world/fake_clock.h"
#include "database.h"
#include "files.h"
#include "plan.h"
#include "random.h"
#include "redis.h"
#include "registry.h"

namespace stampede::sim {

struct Servers {
  Servers(const Plan& plan, const std::string& scratch, Random& random)
      : files([this](int64_t ns) { clock.advance(ns); }),
        database(scratch + "/orders.db", random.fork()),
        redis(random.next(), clock) {
    if (!plan.is_shared) return;
    const uint32_t master = redis.add_master();
    redis.add_replica(master);
  }

  world::FakeClock clock;
  FileSystem files;
  Database database;
  RedisWorld redis;
  RegistryDatabase registry;
};

}  // namespace stampede::sim
