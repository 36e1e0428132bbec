// Is every byte of a stream as it was written? All snapshots, all segments that are there, and that they belong together.
//
// Only reads, and works beside the server that writes: a batch that is being written meanwhile is not there yet, and a segment
// that is used again meanwhile is looked for anew.
#pragma once

#include "base/progress.h"
#include "base/result.h"
#include "orderlog/files.h"
#include "orderlog/marks.h"
#include "orderlog/recovery.h"

namespace stampede::orderlog {

// The oldest that is there; 0: none.
[[nodiscard]] uint32_t oldest_segment(const StreamFiles& files);

// Where reading all that is there can begin: a snapshot has the position that the oldest segment continues; without one, the
// segment's own first batch has it.
[[nodiscard]] Result<Position> start_of(const StreamFiles& files);

// A batch that was under way when it was looked at, and whose successor was written by the time the rest was scanned,
// looks like damage. On a second look it is whole.
[[nodiscard]] bool is_sound_by_now(const StreamFiles& files, const Position& position);

// All of them, byte by byte: how many there are. An Error that is damage names the file.
[[nodiscard]] Result<size_t> check_snapshots(const StreamFiles& files);

struct Verified {
  RecoveryReport log;  // clean or torn
  size_t snapshots = 0;
};
// An Error that is damage names the place. The bytes that were read are added to `progress`.
[[nodiscard]] Result<Verified> verify_stream(const StreamFiles& files, Progress& progress);
// At most so many bytes are read: segments count whole.
[[nodiscard]] uint64_t bytes_to_verify(const StreamFiles& files);

}  // namespace stampede::orderlog
