// Reads one stream's batches in order and believes none of them unchecked.
//
// The live log is read beside its writer, with O_DIRECT, and only up to the durable mark: batches
// behind it may be half written, and their pages in the page cache may be stale.
//
// Belongs to one thread. Several readers may read one stream.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "base/result.h"
#include "orderlog/files.h"
#include "orderlog/format.h"
#include "orderlog/marks.h"
#include "orderlog/record.h"

namespace stampede::orderlog {

// One sound batch. Its bytes are the reader's and stay until the next call of it.
class Batch {
 public:
  Batch(const BatchHeader& header, uint64_t offset, std::span<const std::byte> body,
        bool ends_segment)
      : header_(header), offset_(offset), body_(body), ends_segment_(ends_segment) {}

  const BatchHeader& header() const { return header_; }
  Lsn first_lsn() const { return header_.first_lsn; }
  Lsn last_lsn() const { return header_.last_lsn(); }
  uint32_t record_count() const { return header_.record_count; }
  uint64_t batch_seq() const { return header_.batch_seq; }
  uint32_t segment() const { return header_.segment; }
  uint64_t offset() const { return offset_; }
  uint64_t chain() const { return header_.header_sum; }
  // Where the next batch begins.
  Position position_after() const;

  // visit(Lsn, const Record&) for each record in order. Views in a record point into the batch.
  template <typename Visit>
  void for_each(Visit&& visit) const {
    std::span<const std::byte> rest = body_;
    for (Lsn lsn = first_lsn(); lsn <= last_lsn(); ++lsn) {
      const std::optional<Decoded> decoded = decode(rest);
      CHECK(decoded.has_value());  // the reader has parsed them before
      visit(lsn, decoded->record);
      rest = rest.subspan(decoded->bytes);
    }
  }

 private:
  BatchHeader header_;
  uint64_t offset_;
  std::span<const std::byte> body_;
  bool ends_segment_;
};

class Reader {
 public:
  Reader(const StreamFiles& files, const Position& start);

  // The next batch, if all of its records are numbered at most `up_to`: the durable mark of a live
  // log, the last number that recovery found in one at rest. nullopt: none yet. An error means
  // damage, for everything up to the mark must be there: it names segment, offset, sequence and
  // reason.
  [[nodiscard]] Result<std::optional<Batch>> next(Lsn up_to);

  // Where the next batch begins.
  const Position& position() const { return position_; }

  // For recovery and tools, which judge for themselves: the bytes at position(), sound or not.
  // `batch` is there exactly when flaw is none. An error is one of the file system. A
  // missing segment file is Flaw::no_room with is_missing.
  struct Found {
    Flaw flaw = Flaw::none;
    bool is_missing = false;
    std::optional<BatchHeader> header;  // if a sound one lies here, also another log's
    std::optional<Batch> batch;
  };
  [[nodiscard]] Result<Found> look();
  // Steps over the batch that look() found.
  void skip(const Batch& batch);
  // All bytes of the batch that look() found, as they lie in the file; stay until the next call.
  std::span<const std::byte> bytes_of(const Batch& batch) const;
  // The block at position(), after a look() that found a flaw other than no_room.
  std::span<const std::byte> block() const;

  // "segment 7 (/path) offset 8192 sequence 42", and the same with the flaw.
  [[nodiscard]] std::string where() const;
  [[nodiscard]] Error describe(Flaw flaw) const;

 private:
  Expected expected() const;
  [[nodiscard]] Status open_segment();
  [[nodiscard]] Status fill(size_t bytes_needed);
  std::span<const std::byte> buffered() const;  // from position() on
  Result<Found> look_at_body(const BatchHeader& header);

  StreamFiles files_;
  Position position_;
  File file_;
  uint32_t open_segment_ = 0;  // 0: none
  bool is_segment_missing_ = false;
  AlignedBuffer memory_;
  uint64_t window_offset_ = 0;  // of the file, at the start of memory_
  size_t window_bytes_ = 0;
  Lsn up_to_ = UINT64_MAX;  // the durable mark of the call under way
  Lsn window_up_to_ = 0;    // and of the call that filled the window, which may be stale above it
  size_t read_bytes_;  // how much to read at once: little at the live end, much when catching up
};

// Where the oldest segment that is still there begins, by the word of its own first batch; the
// beginning of the log when it is segment 1 or when there is none. For tools that read all there
// is.
[[nodiscard]] Result<Position> oldest_position(const StreamFiles& files);

}  // namespace stampede::orderlog
