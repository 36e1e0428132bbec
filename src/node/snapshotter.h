// Snapshots while the server runs.
//
// A snapshot saves a start the reading of records that mean nothing any more: of orders that were paid, cancelled, forgotten. It
// costs the writing of all orders that are left. So one is written when it has at most a third of the bytes that a start would
// read without it, the last snapshot and the log since. While orders only come in, none is; and however long a sale goes on
//
//   written for snapshots ≤ half of what the log wrote       S ≤ (S + L) / 3, summed over all of them
//   read at a start       ≤ three times the orders in memory, and one segment
//   kept on the disk      ≤ six times the orders in memory, and two segments: the log from the last snapshot but one on
#pragma once

#include <atomic>
#include <functional>
#include <vector>

#include "base/clock.h"
#include "base/hash.h"
#include "orderlog/segments.h"

namespace stampede::node {

struct RestoreInput;

// `image_bytes` of the orders that are in memory now; `read_bytes` that a start would read now.
constexpr bool is_snapshot_due(uint64_t image_bytes, uint64_t read_bytes) {
  return 3 * image_bytes <= read_bytes;
}

// Looks whether a snapshot is due whenever a segment is closed, and makes it: the previous one plus the segments since. The
// shard is not involved; its log is read back and replayed, so a snapshot can only hold what recovery would find.
class Snapshotter final : public orderlog::SegmentListener {
 public:
  // How many bytes a snapshot of a stream would have, about. Any thread.
  using ImageBytes = std::function<uint64_t(uint32_t stream)>;

  Snapshotter(std::vector<orderlog::StreamFiles> files, const HashKey& hash_key,
              uint32_t orders_max, BootId boot_id, ImageBytes image_bytes);

  void on_segment_closed(uint32_t stream, uint32_t segment) override;
  // Segments below this one are not needed by any snapshot that is kept. Any thread.
  uint32_t covered_below(uint32_t stream) const {
    return covered_below_[stream].load(std::memory_order_acquire);
  }

 private:
  [[nodiscard]] Status make_if_due(uint32_t stream, uint32_t segment);
  [[nodiscard]] Status make(const RestoreInput& input, uint32_t segment);

  std::vector<orderlog::StreamFiles> files_;
  HashKey hash_key_;
  uint32_t orders_max_;
  BootId boot_id_;
  ImageBytes image_bytes_;
  std::vector<std::atomic<uint32_t>> covered_below_;  // release; pairs with covered_below()
};

}  // namespace stampede::node
