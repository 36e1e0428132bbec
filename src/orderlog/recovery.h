// Where does a log end after a crash, and is anything missing? Answered by a table of cases,
// not by trust.
//
// A batch is acknowledged only after its write completed, and at most one write is in flight. So
// when batch n is not sound, exactly one question matters: had n been durable? It had, if anything
// later than n was ever written, or if a witness outside the log has seen one of its records. Then
// an acknowledged order is gone: stop, write nothing, name the place. Otherwise the batch was in flight
// in the crash: keep its remains beside the log and go on in front of it.
//
//   found at the place of batch n     nothing later,      something later,     from another
//                                     no witness          or a witness         log or version
//   zeros; a former use of the file   clean               damaged              damaged
//   a sound header, prev_chain of     clean               damaged              damaged
//     another life
//   n with a bad body; the remains    torn                damaged              damaged
//     of a header
//   n sound in every sum, but it      damaged             damaged              damaged
//     cannot follow n − 1
//   any of these, and the log was     damaged             damaged              damaged
//     at rest at another end
//
// At rest: the last process stopped in order, and the manifest says where the log ends. A snapshot of a history that was lost may
// have led past that place.
//
// Whether something later is there takes reading all that was ever made ready for the log, hundreds of megabytes. Behind
// the end of a log at rest nothing was ever written; there only the first block of each later segment is read, for a file of another log.
//
// Other logs treat the first bad byte as the end, and drop acknowledged data silently when a byte
// in the middle rots (SQLite, PostgreSQL, Kafka, Redis with aof-load-truncated); a ledger must
// refuse (as etcd and TigerBeetle do).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "orderlog/files.h"
#include "orderlog/marks.h"
#include "orderlog/reader.h"
#include "orderlog/record.h"

namespace stampede::orderlog {

// Something outside the log that holds one of its records, so that the record had been durable: the database. (The manifest
// is one too, through StreamFiles::known.)
struct Witness {
  std::string name;  // "database"
  Lsn lsn = 0;
};

// Called for each record some records before the visitor is (preview.h).
using RecordPreview = std::function<void(Lsn lsn, const Record& record)>;

struct RecoveryInput {
  StreamFiles files;
  Position start;  // the beginning, or where a snapshot ends
  std::vector<Witness> witnesses;
  bool is_read_only = false;  // report only; nothing is cut
  bool accepts_loss = false;  // cut also at damage: the operator has asked for it
  int64_t wall_ns = 0;        // now; part of the name of the cut-off bytes' file
  RecordPreview preview;      // may be empty
};

enum class RecoveryOutcome : uint8_t {
  clean,    // the log ends after its last batch
  torn,     // a batch that was never acknowledged was cut off; append a Recovery record before
            // anything else
  damaged,  // an acknowledged batch is gone or rolled back: nothing was written; exit with
            // kExitLogDamaged
};

struct RecoveryReport {
  RecoveryOutcome outcome = RecoveryOutcome::clean;
  Position end;          // where the writer goes on
  Lsn last_lsn = 0;      // 0: the log is empty
  uint64_t batches = 0;  // read from the start position on
  uint64_t records = 0;
  int64_t last_wall_ns = 0;  // of the last batch; 0: none was read
  uint64_t epoch = 0;        // of the last batch
  uint64_t torn_bytes = 0;   // from the end to the last byte that is not zero
  std::string torn_file;     // where they are kept, after the repair
  // Behind an accepted loss: the repair renames them. The snapshots are those that were passed over: one that is readable
  // again would be taken for the newest, and hide all that was written since.
  std::vector<uint32_t> segments_aside, snapshots_aside;
  std::string message;  // torn, damaged: one line with segment, offset, sequence and reason
};

// Called for each record in order; `batch` is the one that holds it. A failure means that the
// record cannot follow the ones before it, which no crash explains: damage.
using RecordVisitor = std::function<Status(Lsn lsn, const Record& record, const Batch& batch)>;

// A file or directory that cannot be read is damage. An error is one of this process (out of descriptors) or of writing.
// Unless `is_read_only`, repair() follows at once.
[[nodiscard]] Result<RecoveryReport> recover(const RecoveryInput& input,
                                             const RecordVisitor& visit);

// The only part that writes, for a start that looks at everything before it decides: after a recover() of the same input
// that was read only and found no damage. The bytes that are cut off are kept beside their segment; names and bytes of all that
// stays are durable afterwards.
[[nodiscard]] Status repair(const RecoveryInput& input, RecoveryReport& report);

// The table above.
enum class AtEnd : uint8_t { unused, former_life, remains, impossible };
struct Evidence {
  AtEnd at_end = AtEnd::unused;
  bool has_later = false;    // a batch of this stream with a higher sequence number
  bool has_witness = false;  // of batch n or later
  bool has_foreign = false;  // a batch of another log, stream or version
  bool has_moved = false;    // it was at rest, and ended elsewhere
};
[[nodiscard]] constexpr RecoveryOutcome judge(const Evidence& evidence) {
  if (evidence.has_later || evidence.has_witness || evidence.has_foreign || evidence.has_moved)
    return RecoveryOutcome::damaged;
  switch (evidence.at_end) {
    case AtEnd::unused:
    case AtEnd::former_life:
      return RecoveryOutcome::clean;
    case AtEnd::remains:
      return RecoveryOutcome::torn;
    case AtEnd::impossible:
      return RecoveryOutcome::damaged;
  }
  return RecoveryOutcome::damaged;
}

}  // namespace stampede::orderlog
