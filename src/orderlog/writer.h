// The writing end of one stream: records go into the filling batch, one batch is in flight, the durable
// mark is published. So the group commit needs no knob: while a write is under way the next
// batch fills, for as long as the disk takes.
//
//   append ──► [ filling batch ] ──start_write()──► [ batch in flight ] ──poll()──► durable mark
//               1 MiB, aligned        sealed             one write
//
// Any failed or short write ends the process (kExitLogWrite): it is unknown which bytes are on the
// disk, so no answer would be true; recovery decides. Only a write that never began (EINTR, EAGAIN)
// is submitted again.
//
// Belongs to its shard's thread, which calls bind(). Never blocks: when the next segment is not ready yet, the filling
// batch waits.
#pragma once

#include <cstddef>
#include <span>

#include "base/clock.h"
#include "base/thread_owner.h"
#include "orderlog/disk.h"
#include "orderlog/files.h"
#include "orderlog/format.h"
#include "orderlog/marks.h"
#include "orderlog/record.h"
#include "orderlog/segments.h"

namespace stampede::orderlog {

class Writer {
 public:
  // Goes on at `start` (recovery's end), whose segment must be ready in `segments`. Stores the
  // marks of `start` as appended and durable.
  Writer(const StreamFiles& files, const Position& start, BootId boot_id, Disk& disk,
         StreamSegments& segments, Marks& marks);
  ~Writer();  // nothing may be in flight
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  // From here on only the calling thread may append, write and poll.
  void bind() { owner_.bind(); }

  // Encodes into the filling batch and returns the record's number. encoded_bytes(record) ≤ room().
  Lsn append(const Record& record);

  // Bytes of records that the filling batch still takes; 0 when the writer is sealed.
  [[nodiscard]] size_t room() const { return is_sealed_ ? 0 : body_bytes_max_ - body_bytes_; }
  // The same for new orders: leaves bounds::batch_reserve_bytes to payments, expiries, returns and
  // cancels, and is 0 while no ready segment lies ahead (a full disk).
  [[nodiscard]] size_t room_for_new_orders() const;

  // Ends the filling batch with its sums and starts its write. False when there is nothing to write, when a
  // write is in flight, or when the next segment is not ready.
  bool start_write(Moment now);
  // Takes the outcome of the write in flight. True when the durable mark rose. Ends the process
  // when the write failed or takes longer than bounds::log_write_watchdog_ms.
  bool poll(Moment now);

  // The end of this writer's life: nothing is appended from here on, and a filling batch is dropped. Nothing may be in
  // flight.
  void seal();
  [[nodiscard]] bool is_sealed() const { return is_sealed_; }

  [[nodiscard]] bool is_writing() const { return !in_flight_.bytes.empty(); }
  [[nodiscard]] size_t bytes_in_flight() const { return in_flight_.bytes.size(); }
  [[nodiscard]] bool is_idle() const { return !is_writing() && record_count_ == 0; }
  // The last start_write() found the segment full and the next one not ready.
  [[nodiscard]] bool is_blocked() const { return is_blocked_; }
  [[nodiscard]] Lsn appended() const { return next_.next_lsn + record_count_ - 1; }
  [[nodiscard]] Lsn durable() const { return durable_lsn_; }
  [[nodiscard]] uint64_t durable_seq() const { return durable_seq_; }
  // Where the filling batch will go.
  [[nodiscard]] const Position& position() const { return next_; }

  // The ledger's epoch in the headers of the following batches.
  void set_epoch(uint64_t epoch) { epoch_ = epoch; }

 private:
  struct InFlight {
    Position at;
    std::span<const std::byte> bytes;  // empty: nothing is in flight
    Lsn last_lsn = 0;
    bool ends_segment = false;
    int64_t submitted_boot_ns = 0;
  };

  bool must_end_segment() const;
  void put(const Record& record);
  void seal_and_submit(Moment now, bool ends_segment);
  void complete();
  [[noreturn]] void fail(const std::string& reason) const;

  const StreamFiles files_;
  ThreadOwner owner_;
  const BootId boot_id_;
  Disk& disk_;
  StreamSegments& segments_;
  Marks& marks_;
  const size_t body_bytes_max_;  // leaves room for the record that ends a segment

  AlignedBuffer memory_;          // two batches
  std::span<std::byte> filling_;  // one of them
  std::span<std::byte> other_;    // in flight, or free
  size_t body_bytes_ = 0;         // of the filling batch, as are the next ones
  uint32_t record_count_ = 0;
  Position next_;
  uint64_t epoch_ = 0;
  bool is_blocked_ = false;
  bool is_sealed_ = false;

  InFlight in_flight_;
  File file_;       // of the batch in flight, and mostly of the filling one
  File next_file_;  // of the filling one, when the batch in flight ends its segment
  Lsn durable_lsn_;
  uint64_t durable_seq_;
};

}  // namespace stampede::orderlog
