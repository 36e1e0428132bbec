// From files to state and back: what a start does with a stream's newest snapshot and the log behind it, how the state
// becomes the next snapshot, and how orders move to other shards when their number changes.
//
// All of it goes through StreamState::apply(), the running shard's own code.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "orderlog/directory.h"
#include "orderlog/reader.h"
#include "orderlog/recovery.h"
#include "orderlog/segments.h"
#include "orderlog/snapshot.h"
#include "stock/stream_state.h"

namespace stampede::shard {

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

// Every fact of the state as snapshot records, in an order in which they can be applied.
[[nodiscard]] Status write_snapshot(const stock::StreamState& state,
                                    const orderlog::StreamFiles& files,
                                    orderlog::SnapshotFacts facts);

// Makes the next snapshot whenever a segment is closed: the previous one plus the segments since. The shard is not
// involved; its log is read back and replayed, so a snapshot can only hold what recovery would find.
class Snapshotter final : public orderlog::SegmentListener {
 public:
  Snapshotter(std::vector<orderlog::StreamFiles> files, const HashKey& hash_key,
              uint32_t orders_max, BootId boot_id);

  void on_segment_closed(uint32_t stream, uint32_t segment) override;
  // Segments below this one are not needed by any snapshot that is kept. Any thread.
  uint32_t covered_below(uint32_t stream) const {
    return covered_below_[stream].load(std::memory_order_acquire);
  }

 private:
  [[nodiscard]] Status make(uint32_t stream, uint32_t segment);

  std::vector<orderlog::StreamFiles> files_;
  HashKey hash_key_;
  uint32_t orders_max_;
  BootId boot_id_;
  std::vector<std::atomic<uint32_t>> covered_below_;  // release; pairs with covered_below()
};

// Deals the orders of all streams out to `shard_count` new ones and writes their first snapshots as generation
// `manifest.generation`. Pools return to the ledger: what a new stream has accepted is what its orders hold, and units of
// forgotten paid orders stay sold on stream 0. The caller switches the manifest afterwards.
[[nodiscard]] Status reshard(const std::vector<std::unique_ptr<stock::StreamState>>& old_states,
                             const std::string& data_dir, const orderlog::Manifest& manifest,
                             uint32_t orders_max, BootId boot_id);

}  // namespace stampede::shard
