// From files to state: a stream's newest snapshot and the log behind it, through StreamState::apply(), the running shard's
// own code.
#pragma once

#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/progress.h"
#include "node/start.h"
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
  std::vector<orderlog::Witness> witnesses;  // of records of this stream
  bool is_read_only = false;
  bool accepts_loss = false;
  Progress* progress = nullptr;  // told of bytes of the log; null: nobody looks
};

struct RestoredStream {
  std::unique_ptr<stock::StreamState> state;
  orderlog::Position start;  // where recovery began: behind the snapshot
  SnapshotState snapshot = SnapshotState::sound;
  orderlog::RecoveryReport report;
  uint32_t snapshot_segment = 1;  // the snapshot covers the segments below
  uint64_t records = 0;           // of the snapshot and the log
};

// The outcome `damaged` in the report means kExitLogDamaged and no usable state. An Error: this process has run out of
// something.
[[nodiscard]] Result<RestoredStream> restore_stream(const RestoreInput& input);

// What the streams of one generation must have in common: every item that one of them has units or orders of is known to
// stream 0. An Error is damage.
[[nodiscard]] Status check_together(const std::vector<RestoredStream>& streams);

// What a stream is restored from: its newest sound snapshot, or the empty state where its log begins. An older snapshot
// is as good as a newer one while the log behind it is whole, which recovery finds out. A stream that began with a snapshot
// and has none that is sound cannot be restored, whatever its log says: an Error that is damage.
struct NewestSnapshot {
  std::unique_ptr<stock::StreamState> state;
  orderlog::SnapshotFacts facts;
  uint32_t segment = 1;
  std::string problem;            // what is wrong with a newer one; empty: nothing
  std::vector<uint32_t> unsound;  // the newer ones
};
[[nodiscard]] Result<NewestSnapshot> read_newest_snapshot(const RestoreInput& input);

// What apply() must know of a batch: when it was written, on this boot's clock if it was this boot.
[[nodiscard]] Moment moment_of(const orderlog::BatchHeader& header, BootId now);

}  // namespace stampede::node
