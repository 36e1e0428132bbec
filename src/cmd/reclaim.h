// Taking a node out of a shared ledger: for a while, or for good with what it held put back on sale.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "cluster/registry.h"
#include "cluster/script_caller.h"

namespace stampede::cmd {

// Fences the node in the open epoch and makes it inactive with the counters that it had there. Safe to repeat.
// Waiting: so too when the epoch waits for the node, whose data are lost: with all that nobody else holds.
enum class Waiting : uint8_t { refuse, presume_sold };
[[nodiscard]] Status take_out(cluster::ScriptCaller& redis, cluster::Registry& registry,
                              uint32_t node, Waiting waiting);

struct ReclaimSettings {
  uint32_t node = 0;
  std::string data_dir;
  int64_t pay_window_s = 0;  // 0: as the orders in the database say
  std::string database_url;  // PostgreSQL
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
