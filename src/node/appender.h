// Appends to a stream that no shard turns: at a start, before the first turn, and offline. What is appended is applied.
#pragma once

#include <atomic>

#include "node/machine.h"
#include "orderlog/disk.h"
#include "orderlog/record.h"
#include "orderlog/segments.h"
#include "orderlog/writer.h"
#include "stock/stream_state.h"

namespace stampede::node {

// One thread, which blocks on the disk.
class Appender {
 public:
  // Others make segments ready. With `is_stopping` set, nothing is waited for any more.
  Appender(stock::StreamState& state, orderlog::Writer& writer, orderlog::Disk& disk,
           Machine& machine, const std::atomic<bool>& is_stopping)
      : state_(state),
        writer_(writer),
        disk_(disk),
        machine_(machine),
        is_stopping_(&is_stopping) {}
  // This thread makes segments ready when there are none.
  Appender(stock::StreamState& state, orderlog::Writer& writer, orderlog::Disk& disk,
           Machine& machine, orderlog::SegmentKeeper& keeper)
      : state_(state), writer_(writer), disk_(disk), machine_(machine), keeper_(&keeper) {}

  // Makes room for so many records in one batch. False: a stop has come first, or no segment could be made ready, and no more
  // should be appended.
  [[nodiscard]] bool make_room(size_t records);
  // The record must be one that the state takes; there is room for it.
  void append(const orderlog::Record& record);
  // True: everything appended is durable. False as above.
  bool await_durable();

 private:
  [[nodiscard]] bool gives_up() const {
    return is_stopping_ != nullptr && is_stopping_->load(std::memory_order_acquire);
  }
  [[nodiscard]] bool lacks_segment();

  stock::StreamState& state_;
  orderlog::Writer& writer_;
  orderlog::Disk& disk_;
  Machine& machine_;
  const std::atomic<bool>* const is_stopping_ = nullptr;  // one of these two
  orderlog::SegmentKeeper* const keeper_ = nullptr;
};

}  // namespace stampede::node
