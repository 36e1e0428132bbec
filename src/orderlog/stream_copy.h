// A copy of one stream, made while its server writes: its snapshots, and its log batch by batch, each one checked as it is
// read. So the copy ends between two batches, holds nothing of a file's former use, and damage in the source is noticed in
// the source.
//
// The server uses old segments again, in their order, and removes snapshots. Copied files stay; if the server overtakes
// the copy, the stream is begun anew from the files that are there then.
//
// The files are sparse and end with zeros. One thread; blocks on I/O. Errors name the file; of the source they are damage.
#pragma once

#include <functional>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "orderlog/files.h"
#include "orderlog/marks.h"
#include "orderlog/reader.h"

namespace stampede::orderlog {

// Up to where a stream is copied: a batch that was sealed later in this boot stays out. One of another boot, or of a server
// on another clock, cannot be compared and is taken.
struct Cut {
  int64_t boot_ns = INT64_MAX;
  BootId boot_id;
};

// Called with the bytes that were copied since the last call.
using CopyProgress = std::function<void(uint64_t bytes)>;

class StreamCopy {
 public:
  StreamCopy(StreamFiles from, StreamFiles to, CopyProgress progress)
      : from_(std::move(from)), to_(std::move(to)), progress_(std::move(progress)) {}

  // Copies all batches up to the cut that are there; may be called again with a later cut.
  [[nodiscard]] Status copy_up_to(const Cut& cut);
  // Zeros behind the log's end in place of a hole: a server that goes on there finds its last segment prepared.
  [[nodiscard]] Status fill_last_segment();
  // Afterwards the copied files are on stable storage, under their names.
  [[nodiscard]] Status sync();

  // Where the copy ends, and whether it has a segment at all.
  [[nodiscard]] const Position& end() const { return end_; }
  [[nodiscard]] bool has_begun() const { return out_.is_open(); }

 private:
  enum class Stop : uint8_t { at_cut, at_flaw, overtaken };

  Status begin();
  Status copy_snapshots();
  Status copy_snapshot(uint32_t segment);
  Result<Stop> copy_batches(const Cut& cut);
  Result<Stop> judge_end();
  Status write(const Batch& batch, std::span<const std::byte> bytes);
  Status open_segment();
  Status close_segment();
  Result<bool> is_overtaken() const;

  const StreamFiles from_, to_;
  const CopyProgress progress_;
  bool is_begun_ = false;
  Position end_;
  File out_;  // of segment end_.segment
};

}  // namespace stampede::orderlog
