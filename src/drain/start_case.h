// Where does the drainer begin with a stream? A table: the position in the database against the
// log.
//
//   position in the database   the log                                   case
//   none                       whole                                     beginning
//   none                       its oldest segments are gone,             rebuild, from a snapshot
//                                and the database has its ancestors
//   none                       the same, and it lacks a part of them     outdated
//   the log's end              ends there with the same chain value      resume
//   the log's end              ends there with another chain value       foreign
//   before the end             still has that segment                    resume
//   before the end             no longer has it                          outdated
//   behind the end             –                                         ahead
//
// Whole: every record that led to its state is in it. So a log in front of which a snapshot stood never is, whichever segments it has.
//
// Its ancestors are the streams of the generations before, which ended when the number of shards changed (ancestry.h). A
// database that knows nothing of the node lacks none of them.
//
// The end is the one that recovery found: a running server's log has grown since, and even that place may be gone.
//
// Resuming before the end, the chain value of the first batch that is read shows whether it
// follows.
//
// Foreign: rows of another log, say a data directory that was made anew beside an old database. Ahead: a log that was restored from
// an old copy, or one that lost its tail in a power cut under --durability os, or a copy of the directory that runs beside this one.
// In these two the rows and the log are not of one history, and no record may be written before an operator has decided which is
// true. Outdated: a database that was restored from an old copy, or a standby that had lagged. When its orders show that it is of
// this history (kinship.h) it is completed from the newest snapshot; otherwise it is refused like the two.
//
// Pure.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "orderlog/marks.h"

namespace stampede::drain {

enum class StartCase : uint8_t { beginning, rebuild, resume, foreign, outdated, ahead };

struct LogExtent {
  bool has_beginning = true;
  uint32_t oldest_segment = 1;
  orderlog::Position end;  // as recovery found it
  Lsn durable = 0;         // by now; the log may have grown since then
};

[[nodiscard]] constexpr StartCase start_case(const std::optional<orderlog::Position>& database,
                                             bool has_ancestors, const LogExtent& log) {
  if (!database && log.has_beginning) return StartCase::beginning;
  if (!database) return has_ancestors ? StartCase::rebuild : StartCase::outdated;
  if (database->next_lsn > std::max(log.end.next_lsn, log.durable + 1)) return StartCase::ahead;
  if (database->next_lsn == log.end.next_lsn && database->prev_chain != log.end.prev_chain)
    return StartCase::foreign;
  return database->segment < log.oldest_segment ? StartCase::outdated : StartCase::resume;
}

}  // namespace stampede::drain
