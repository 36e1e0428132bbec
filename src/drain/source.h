// One stream's order log as the drainer reads it. A seam, so that tests can hand it records without
// files.
#pragma once

#include <functional>
#include <optional>

#include "base/result.h"
#include "drain/batch.h"
#include "orderlog/marks.h"
#include "orderlog/record.h"

namespace stampede::drain {

// One thread.
class Source {
 public:
  virtual ~Source() = default;

  // True while every record that the stream ever had can be read from orderlog::Position{} on.
  virtual Result<bool> has_beginning() = 0;
  // The lowest segment that is still there.
  virtual Result<uint32_t> oldest_segment() = 0;

  // The following reads begin at `position`.
  virtual void seek(const orderlog::Position& position) = 0;

  // Adds the records of the next log batch to `batch` and advances it, if they are all numbered at
  // most `up_to`. False: there is none yet. An error: the bytes there do not continue the log at
  // this position.
  virtual Result<bool> read(Lsn up_to, Batch& batch) = 0;

  // Visits the records of the newest sound snapshot, always in the same order, and answers where
  // the log goes on; nullopt when there is no snapshot. An error of the visitor ends the visit and
  // is handed on.
  using Visit = std::function<Status(const orderlog::Record& record)>;
  virtual Result<std::optional<orderlog::Position>> read_snapshot(const Visit& visit) = 0;
};

}  // namespace stampede::drain
