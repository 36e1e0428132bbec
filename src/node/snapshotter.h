// Snapshots while the server runs.
#pragma once

#include <atomic>
#include <vector>

#include "base/clock.h"
#include "base/hash.h"
#include "orderlog/segments.h"

namespace stampede::node {

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

}  // namespace stampede::node
