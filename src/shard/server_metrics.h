// What /metrics tells: every counter of every shard, how far the drainer is, and what the process
// costs.
//
// Reads what other threads write, through their relaxed atomics; so figures of one answer may be a
// turn apart. `answers` counts only the public listener.
#pragma once

#include <cstdint>
#include <string>

#include "shard/shard.h"

namespace stampede::shard {

// What the drainer tells beyond the watermarks.
struct DrainStatus {
  bool has_database = false;
  uint64_t rows = 0;      // inserted or changed
  uint64_t rejected = 0;  // rows that the database would not take
  uint64_t retries = 0;
  std::string problem;  // why rows are not being written now; empty when they are
};

struct ServerView {
  std::string_view version, ledger;
  uint32_t node = 0;
  int64_t started_wall_ms = 0;
  bool is_ready = false;
  uint64_t items = 0;
  DrainStatus drain;
  int64_t drainer_lag_ms = 0;
};

// Records that are durable but not in the database; 0 without a database.
[[nodiscard]] uint64_t lag_records_of(const Process& process, uint32_t shard);

// The shard refuses new orders, for a reason from outside it.
[[nodiscard]] bool is_refusing(const Metrics& metrics);

[[nodiscard]] std::string render_metrics(const Process& process, const ServerView& view);

}  // namespace stampede::shard
