// What stands beside the nodes of a simulation and outlives them: the clock, the database, and for nodes that share their ledger
// Redis servers and the registry.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "../world/fake_clock.h"
#include "database.h"
#include "files.h"
#include "inputs.h"
#include "plan.h"
#include "random.h"
#include "redis.h"
#include "registry.h"

namespace stampede::sim {

struct Servers {
  Servers(const Plan& plan, const std::string& directory, Random& random)
      : scratch(directory),
        files([this](int64_t ns) { clock.advance(ns); }),
        database(directory + "/orders.db", random.fork()),
        redis(random.next(), clock) {
    write_members(directory);
    if (!plan.is_shared) return;
    for (uint32_t i = 0; i < (plan.has(Mishap::groups) ? 2 : 1); ++i) {
      const uint32_t master = redis.add_master();
      pairs.push_back({.master = master, .replica = redis.add_replica(master)});
    }
    for (uint32_t i = 0; i < pairs.size(); ++i) appoint(i);
  }

  // Everybody, or one node, is told that the groups of this pair are at its master.
  void appoint(uint32_t pair, uint32_t node = RedisWorld::kEverybody) {
    for (uint32_t group = pair; group < cluster::kGroupsMax;
         group += static_cast<uint32_t>(pairs.size()))
      redis.appoint(pairs[pair].master, group, node);
  }

  // A master, as everybody should see it, and its replica. Several share the groups of a ledger.
  struct Pair {
    uint32_t master = 0, replica = 0;
  };

  const std::string scratch;  // beside the machines' directories
  world::FakeClock clock;
  Inputs inputs;
  FileSystem files;
  Database database;
  RedisWorld redis;
  std::vector<Pair> pairs;
  RegistryDatabase registry;
};

}  // namespace stampede::sim
