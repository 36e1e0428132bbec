// `stampede ledger reclaim`: a node is taken out for good, and what it held is put back on sale.
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
  int64_t pay_window_s = 0;     // 0: as the orders in the database say
  drain::DatabaseUrl database;  // PostgreSQL
};

// With the node's data directory: what is unpaid expires, everything reaches the database, what is not paid comes back.
// Returns an exit code, as the next.
int reclaim_with_data(const ReclaimSettings& settings, cluster::ScriptCaller& redis,
                      cluster::Registry& registry);

// Without it: what the database knows stays as it is; what it does not know counts as sold until the last deadline to pay
// has passed (exit code 75: come back later), then it comes back too.
int reclaim_without_data(const ReclaimSettings& settings, cluster::ScriptCaller& redis,
                         cluster::Registry& registry);

}  // namespace stampede::cmd
