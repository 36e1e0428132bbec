// `stampede ledger reclaim`: takes a node out for good, and puts the units that it held back on sale.
#pragma once

#include <cstdint>
#include <string>

#include "cluster/registry.h"
#include "cluster/script_caller.h"
#include "drain/database.h"

namespace stampede::cmd {

struct ReclaimSettings {
  uint32_t node = 0;
  std::string data_dir;
  int64_t pay_window_s = 0;     // 0: as the orders in the database have it
  drain::DatabaseUrl database;  // PostgreSQL
};

// With the node's data directory: unpaid orders expire, everything reaches the database, and unpaid units come back.
// Returns an exit code, as the next.
int reclaim_with_data(const ReclaimSettings& settings, cluster::ScriptCaller& redis,
                      cluster::Registry& registry);

// Without it: orders in the database stay as they are; units of which it has no order count as sold until the last deadline to
// pay has passed (exit code 75: come back later), then they come back too.
int reclaim_without_data(const ReclaimSettings& settings, cluster::ScriptCaller& redis,
                         cluster::Registry& registry);

}  // namespace stampede::cmd
