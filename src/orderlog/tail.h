// The bytes behind the end of a log, and how they are put aside.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "orderlog/files.h"
#include "orderlog/format.h"

namespace stampede::orderlog {

// A sound header found by scanning.
struct Sighting {
  uint32_t segment = 0;  // of the file
  uint64_t offset = 0;
  BatchHeader header;
};

struct Tail {
  std::optional<Sighting>
      later;  // the first of this stream that is not older than the batch expected at the end
  std::optional<Sighting> foreign;  // the first of another log, stream or version
  bool is_reused = false;           // the end's segment holds batches of a former use
  uint64_t bytes = 0;               // from the end to the last byte of its segment that is not zero
};

// Looks at every block of the end's segment behind its first one, and at every block of the
// segments after it: a batch can begin at any of them. `end.position` is where the log's last sound
// batch ends.
[[nodiscard]] Result<Tail> scan_tail(const StreamFiles& files, const Expected& end,
                                     const std::vector<uint32_t>& later_segments);

// Looks only at the first block of each of these segments, where its first batch begins.
[[nodiscard]] Result<Tail> scan_heads(const StreamFiles& files, const Expected& end,
                                      const std::vector<uint32_t>& later_segments);

// Copies `bytes` from the position on into <segment>.torn-TIME, then writes zeros up to the end of
// the segment, durably. Returns the copy's path.
[[nodiscard]] Result<std::string> cut_tail(const StreamFiles& files, const Position& end,
                                           uint64_t bytes, int64_t wall_ns);

// Makes everything in a segment durable.
[[nodiscard]] Status sync_segment(const StreamFiles& files, uint32_t segment);

// Renames a whole segment to <segment>.torn-TIME.
[[nodiscard]] Status set_aside(const StreamFiles& files, uint32_t segment, int64_t wall_ns);

}  // namespace stampede::orderlog
