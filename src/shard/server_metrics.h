// What /metrics tells: every counter of every shard, how far the drainer is, and what the process
// costs.
//
// Reads what other threads write, through their relaxed atomics; so figures of one answer may be a
// turn apart. `answers` counts only the public listener.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/histogram.h"
#include "shard/process_metrics.h"
#include "shard/shard.h"

namespace stampede::shard {

// What the drainer tells beyond the watermarks.
struct DrainStatus {
  bool has_database = false;
  uint64_t rows = 0;      // inserted or changed
  uint64_t rejected = 0;  // rows that the database would not take
  uint64_t retries = 0;
  uint64_t completions = 0;  // of streams whose database had come back older than the log keeps
  std::vector<std::string> gaps;        // what the database may lack since then, a line a stream
  std::string problem;                  // why rows are not being written now; empty when they are
  const Histogram* batch_ns = nullptr;  // of transactions; null: there is no database
};

// What the ledger tells of itself; an embedded one only that it is there.
struct LedgerStatus {
  bool is_shared = false;
  bool is_available = true;
  uint64_t epoch = 0;  // the one that is open; 0: none
  uint64_t epochs_begun = 0, epochs_joined = 0;
  uint64_t calls = 0, lines = 0;       // exchanges with Redis, and items in them
  uint64_t repeats = 0, connects = 0;  // exchanges whose answer was lost, connections made
  uint64_t disputes = 0;               // answers that could not be true
  std::string server;                  // address of the Redis in use
  std::string problem;  // why nothing is granted, or not of every item; empty: nothing is wrong
  std::vector<uint32_t> missing;          // members that an epoch waits for
  std::vector<const Histogram*> call_ns;  // of each shard's exchanges
};

struct ServerView {
  std::string_view version, ledger;
  uint32_t node = 0;
  int64_t started_wall_ms = 0;
  bool is_ready = false;
  uint64_t items = 0;
  DrainStatus drain;
  int64_t drainer_lag_ms = 0;
  const stock::Catalog* catalog = nullptr;  // names the items that are shown
  // Of some items, by their place in both; `free` is what the ledger has.
  std::span<const ItemId> items_shown;
  std::span<const stock::ItemFigures> figures;
  ProcessConstants constants;
  LedgerStatus shared_ledger;
};

// Records that are durable but not in the database; 0 without a database.
[[nodiscard]] uint64_t lag_records_of(const Process& process, uint32_t shard);

// Of all shards: the hundred items that refused most orders, by reason (stock/refusals.h).
[[nodiscard]] std::vector<stock::ItemRefusals> refusals_of(const Process& process);
// What a reason is called: a code of an answer, and of rate_limited the limit.
struct RefusalReason {
  std::string_view code, limit;
};
[[nodiscard]] RefusalReason words_of(unsigned reason);

// The shard refuses new orders, for a reason from outside it.
[[nodiscard]] bool is_refusing(const Metrics& metrics);

[[nodiscard]] std::string render_metrics(const Process& process, const ServerView& view);

}  // namespace stampede::shard
