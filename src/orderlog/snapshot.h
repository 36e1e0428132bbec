// A snapshot: the state that all segments below one made, as records, so that a start need not read
// them and they can be used again.
//
//   ┌──────────────┬─────────┬─────────┬─ ─ ─┐
//   │ header 4 KiB │ batch 1 │ batch 2 │  …  │     <dir>/snapshot-0000000007: segments below 7
//   └──────────────┴─────────┴─────────┴─ ─ ─┘
//
// The batches are those of the log (format.h), numbered and chained from 1, so that the same code
// seals and checks them. The header is written last: it holds their number and the last chain
// value, so that a snapshot cut short or with a batch missing is not sound. Written as .tmp,
// fdatasync, rename, fsync of the directory: one that has its name is whole.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "orderlog/files.h"
#include "orderlog/marks.h"
#include "orderlog/record.h"

namespace stampede::orderlog {

// The header of a snapshot, in front of its records.
struct SnapshotFacts {
  Position position;   // where the log goes on: the beginning of a segment
  uint64_t epoch = 0;  // of the last batch before
  uint64_t sequence_max =
      0;  // highest sequence number of an order id ever given, also to orders that are forgotten
  int64_t wall_ns = 0;        // of the last batch before
  BootId boot_id;             // in which OrderImage::deadline_boot_ns is valid
  uint64_t record_count = 0;  // filled by the writer
  uint64_t sum = 0;           // the same; of the header, so of everything in the file
};

// Streams records into a file. Any thread; blocks on I/O.
class SnapshotWriter {
 public:
  // Nothing is visible before finish(); an unfinished snapshot is removed with its writer.
  explicit SnapshotWriter(const StreamFiles& files);
  ~SnapshotWriter();
  SnapshotWriter(const SnapshotWriter&) = delete;
  SnapshotWriter& operator=(const SnapshotWriter&) = delete;

  [[nodiscard]] Status begin(uint32_t segment);  // covers the segments below
  [[nodiscard]] Status append(const Record& record);
  // Returns the sum by which the snapshot is known (SnapshotFacts::sum).
  [[nodiscard]] Result<uint64_t> finish(const SnapshotFacts& facts);

 private:
  [[nodiscard]] Status flush();
  [[nodiscard]] Result<uint64_t> write_header(const SnapshotFacts& facts);
  std::string unfinished_path() const { return path_ + std::string(kUnfinished); }

  const StreamFiles files_;
  std::string path_;
  File file_;
  AlignedBuffer batch_;
  size_t body_bytes_ = 0;
  uint32_t record_count_ = 0;
  Position next_;  // of the batch that fills; its `segment` as in first_batch()
};

[[nodiscard]] std::string snapshot_path(const StreamFiles& files, uint32_t segment);

// The snapshots that are there, newest first, by the segment they are named after.
[[nodiscard]] Result<std::vector<uint32_t>> list_snapshots(const StreamFiles& files);

// Visits every record. Records are visited before the last byte is checked: after an error (damage,
// or the visitor's), throw away the state that was built and take the next older snapshot.
using SnapshotVisitor = std::function<Status(const Record& record)>;
// Called for each record some records before the visitor is (preview.h); may be empty.
using SnapshotPreview = std::function<void(const Record& record)>;
[[nodiscard]] Result<SnapshotFacts> read_snapshot(const StreamFiles& files, uint32_t segment,
                                                  const SnapshotVisitor& visit,
                                                  const SnapshotPreview& preview = {});
// Its header alone, checked by its own sum.
[[nodiscard]] Result<SnapshotFacts> read_snapshot_facts(const StreamFiles& files, uint32_t segment);

// Renames one that is not sound to <snapshot>.damaged-TIME, durably: it counts for nothing any more.
[[nodiscard]] Status set_snapshot_aside(const StreamFiles& files, uint32_t segment,
                                        int64_t wall_ns);

// Removes all but the two newest: a damaged one then has a predecessor. Returns the segment below
// which no snapshot that is left needs the log (0: none): release_below() may follow it.
[[nodiscard]] Result<uint32_t> remove_old_snapshots(const StreamFiles& files);

}  // namespace stampede::orderlog
