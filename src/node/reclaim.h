// What a node that is gone held in a shared ledger comes back, by its data directory: what is unpaid expires, everything reaches
// the database, the node is retired, and what it did not sell is on sale again. Safe to repeat, wherever it ended.
#pragma once

#include <string>
#include <vector>

#include "cluster/registry.h"
#include "cluster/script_caller.h"
#include "drain/database.h"
#include "node/ending.h"
#include "node/machine.h"
#include "order.h"

namespace stampede::node {

struct Reclaiming {
  uint32_t node = 0;
  std::string data_dir;
  drain::DatabaseUrl database;
};

// Filled as far as it came.
struct Reclaimed {
  struct Expired {
    OrderId order;
    uint32_t quantity = 0;
    std::string item;
  };
  std::vector<Expired> expired;              // by this attempt
  std::vector<cluster::FrozenCount> counts;  // final
  std::string note;  // why Redis does not have the counters; empty: it has them
};

// An Ending: it is not done, and says what is in the way. No server runs on the directory meanwhile, and nothing is
// written to one that a start would refuse (start.h), or whose loss is not ended. Blocks.
[[nodiscard]] MayEnd reclaim(const Reclaiming& what, Machine& machine, cluster::ScriptCaller& redis,
                             cluster::Registry& registry, Reclaimed& reclaimed);

}  // namespace stampede::node
