// Another number of shards: a new generation of streams, which begin with snapshots.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/progress.h"
#include "orderlog/directory.h"
#include "stock/stream_state.h"

namespace stampede::node {

// Deals the orders of all streams out to those of `next`, the manifest of the new generation; writes their first snapshots
// and notes in `next` what each stream begins with. Pools return to the ledger: what a new stream has accepted is what its orders hold, and units of
// forgotten paid orders stay sold on stream 0. The caller switches the manifest afterwards.
[[nodiscard]] Status reshard(const std::vector<std::unique_ptr<stock::StreamState>>& old_states,
                             const std::string& data_dir, orderlog::Manifest& next,
                             uint32_t orders_max, BootId boot_id, Progress* progress = nullptr);

}  // namespace stampede::node
