// Appends to a stream that no shard turns: at a start, before the first turn, and offline. What is appended is applied.
#pragma once

#include <atomic>

#include "node/machine.h"
#include "orderlog/disk.h"
#include "orderlog/record.h"
#include "orderlog/writer.h"
#include "stock/stream_state.h"

namespace stampede::node {

// One thread, which blocks on the disk.
class Appender {
 public:
  // `is_stopping`: with it set, nothing is waited for any more; null: never.
  Appender(stock::StreamState& state, orderlog::Writer& writer, orderlog::Disk& disk,
           Machine& machine, const std::atomic<bool>* is_stopping = nullptr)
      : state_(state), writer_(writer), disk_(disk), machine_(machine), is_stopping_(is_stopping) {}

  // Makes room for so many records in one batch. False: a stop has come first, and no more should be appended.
  [[nodiscard]] bool make_room(size_t records);
  // The record must be one that the state takes; there is room for it.
  void append(const orderlog::Record& record);
  // Everything appended is durable, unless a stop has come first.
  void await_durable();

 private:
  [[nodiscard]] bool gives_up() const {
    return is_stopping_ != nullptr && is_stopping_->load(std::memory_order_acquire);
  }

  stock::StreamState& state_;
  orderlog::Writer& writer_;
  orderlog::Disk& disk_;
  Machine& machine_;
  const std::atomic<bool>* const is_stopping_;
};

}  // namespace stampede::node
