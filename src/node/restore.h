// From files to state: a stream's newest snapshot and the log behind it, through StreamState::apply(), the running shard's
// own code.
#pragma once

#include <memory>
#include <vector>

#include "base/clock.h"
#include "orderlog/recovery.h"
#include "orderlog/snapshot.h"
#include "stock/stream_state.h"

namespace stampede::node {

struct RestoreInput {
  orderlog::StreamFiles files;
  HashKey hash_key{};
  uint32_t orders_max = 0;
  BootId boot_id;                            // now: deadlines of another boot begin anew
  int64_t wall_ns = 0;                       // now
  std::vector<orderlog::Witness> witnesses;  // who has seen records of this stream
  bool is_read_only = false;
  bool accepts_loss = false;
};

struct RestoredStream {
  std::unique_ptr<stock::StreamState> state;
  orderlog::RecoveryReport report;
  uint32_t snapshot_segment = 1;  // the snapshot covers the segments below
  uint64_t records = 0;           // of the snapshot and the log
};

// The outcome `damaged` in the report means kExitLogDamaged and no usable state. An Error: files that cannot be read.
[[nodiscard]] Result<RestoredStream> restore_stream(const RestoreInput& input);

// The newest snapshot of a stream that is sound; an empty state when there is none.
struct NewestSnapshot {
  std::unique_ptr<stock::StreamState> state;
  orderlog::SnapshotFacts facts;
  uint32_t segment = 1;
};
[[nodiscard]] Result<NewestSnapshot> read_newest_snapshot(const RestoreInput& input);

// What apply() must know of a batch: when it was written, on this boot's clock if it was this boot.
[[nodiscard]] Moment moment_of(const orderlog::BatchHeader& header, BootId now);

}  // namespace stampede::node
