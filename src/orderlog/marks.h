// The marks of one stream: how far it is. Each is written by one thread and read by others without locks.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/check.h"
#include "order.h"

namespace stampede::orderlog {

// A place in one stream's log between two batches: where the next batch begins, and the values that its header must
// have.
struct Position {
  uint32_t segment = 1;     // number of the file
  uint64_t offset = 0;      // bytes into it; a multiple of bounds::log_block_bytes
  uint64_t batch_seq = 1;   // gapless from 1
  Lsn next_lsn = 1;         // of the first record of that batch
  uint64_t prev_chain = 0;  // chain value of the batch before; 0 for the first
  friend bool operator==(const Position&, const Position&) = default;
};

// Where a log has ended for good.
struct StreamEnd {
  Lsn lsn = 0;         // of its last record
  uint64_t chain = 0;  // of the batch that ends with it
  friend bool operator==(const StreamEnd&, const StreamEnd&) = default;
};

// The number of a record up to which something has been done. It only grows, and never beyond the mark in front of it:
// both are checked where it is raised, on in release, because the promises to a buyer are made of these two rules.
//
// One thread raises it. raise() stores with release order and get() loads with acquire order: a thread that has read a mark
// sees all work up to that mark. The mark in front is loaded with acquire order too, for it may be
// another thread's (drained is the drainer's, durable the shard's); it only grows, so the checked relation stays true.
class Watermark {
 public:
  explicit Watermark(const Watermark* front) : front_(front) {}

  [[nodiscard]] Lsn get() const { return value_.load(std::memory_order_acquire); }

  void raise(Lsn lsn) {
    CHECK(lsn >= value_.load(std::memory_order_relaxed));
    if (front_ != nullptr) CHECK(lsn <= front_->get());
    value_.store(lsn, std::memory_order_release);
  }
  // To where the owner has found that it really is: a database that was put back. The rule about the mark in front holds.
  void place(Lsn lsn) {
    if (front_ != nullptr) CHECK(lsn <= front_->get());
    value_.store(lsn, std::memory_order_release);
  }

 private:
  const Watermark* const front_;
  std::atomic<Lsn> value_{0};
};

// The four watermarks of a stream:
//
//   appended ≥ durable ≥ acked       in memory, on the disk, answered: the shard's
//              durable ≥ drained     in the database: the drainer's
struct alignas(64) Marks {
  Watermark appended{nullptr};
  Watermark durable{&appended};
  Watermark acked{&durable};
  alignas(64) Watermark drained{&durable};
  std::atomic<uint32_t> drained_segment{0};  // segments below this one are wholly in the database
  std::atomic<int64_t> drained_wall_ns{0};   // when the newest drained batch was made

  // The result of recovery: records up to this one are in the log. Before the threads start.
  void start_at(Lsn last) {
    appended.raise(last);
    durable.raise(last);
  }
};

}  // namespace stampede::orderlog
