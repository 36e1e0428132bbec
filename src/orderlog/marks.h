// Where one stream stands: written by one thread each, read by others without locks.
#pragma once

#include <atomic>
#include <cstdint>

#include "order.h"

namespace stampede::orderlog {

// A place in one stream's log between two batches: where the next batch begins and what it must say
// of itself.
struct Position {
  uint32_t segment = 1;     // number of the file
  uint64_t offset = 0;      // bytes into it; a multiple of bounds::log_block_bytes
  uint64_t batch_seq = 1;   // gapless from 1
  Lsn next_lsn = 1;         // of the first record of that batch
  uint64_t prev_chain = 0;  // chain value of the batch before; 0 for the first
  friend bool operator==(const Position&, const Position&) = default;
};

// The four watermarks of a stream: appended ≥ durable ≥ acked, durable ≥ drained. The shard stores
// the first three with release order; `durable` pairs with the drainer's acquire load, `drained`
// (stored by the drainer) with the shard's.
struct alignas(64) Marks {
  std::atomic<Lsn> appended{0};
  std::atomic<Lsn> durable{0};
  std::atomic<Lsn> acked{0};
  alignas(64) std::atomic<Lsn> drained{0};
  std::atomic<uint32_t> drained_segment{0};  // segments below this one are wholly in the database
  std::atomic<int64_t> drained_wall_ns{0};   // when the newest drained batch was made
};

}  // namespace stampede::orderlog
