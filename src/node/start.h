// May a server start with what it finds? Answered by a table of cases, before anything is written.
//
// A start looks at everything with its hands tied: the directory and its manifest, each stream's snapshot and log, what the
// database has of them, what the nodes that share a ledger have agreed on, and what the operator has said. That is the
// evidence, one value an axis, the worst of all streams. judge() then decides:
//
//   go on                 everything fits, or what does not was never acknowledged (a torn tail is cut)
//   go on and complete    the database has come back older than the log keeps: the newest snapshot has what it lacks
//   go on after a loss    acknowledged orders are gone, and the operator has said --accept-loss: every item is paused
//   deal out anew         everything fits, and the number of shards is another
//   refuse                with an exit code, and a line that says where and what to do
//
// The first line of the table that fits decides; each asks one thing:
//
//   whose directory is it?      one of a newer version                                               2
//                               a manifest that is damaged, or gone while there is a log            78
//                               another machine's, another node's                                    2
//   are all streams there?      one that is missing, or that nobody named                           78
//   may this node sell?         retired from the cluster                                            78
//                               its number is another directory's; it shared its ledger before       2
//   what nothing can replace    a log of another directory; units that were never supplied;
//                               a snapshot that is gone with the log before it;
//                               a database that has seen a newer generation, or other orders than
//                               the one before had; one that is too old and not known to be this
//                               directory's; one that is no file                                    78
//   is an acknowledged order    a log that is damaged, or shorter than the database has seen;
//   gone?                       a database of another history        78, or a loss that is accepted
//                               accepted, and the number of shards is another: one thing at a time   2
//                               accepted while the database is away: it knows the ids that were given 1
//   the number of shards        another, while the database is away: it must have everything         1
//   is the database older       than the log keeps, and this directory's: it is completed, before
//   than the log keeps?         orders are dealt out anew or while they are sold                      –
//
// Two rules follow, and the tests walk all combinations to see that they hold: damage never goes on without --accept-loss,
// and a database that answers and has more than the log never goes on as if nothing had happened. They are why no order id is
// given twice: an id is above all that the log has given, and the log has given all that anybody knows of.
//
// Pure.
#pragma once

#include <cstdint>

#include "base/check.h"

namespace stampede::node {

enum class Directory : uint8_t {
  fresh,         // no manifest, no log
  own,           // this node's
  after_loss,    // this node's, and a start that accepted a loss has not got to its end
  half_reshard,  // this node's, with a newer generation that was never switched to: it is made anew when it is needed
  another_node,  // --node says otherwise
  another_machine,  // a copy, or moved without a word
  newer_version,
};

enum class ManifestState : uint8_t { sound, damaged, missing };  // missing: no file of that name

enum class Log : uint8_t {
  whole,
  torn,         // the last write did not end; it was never acknowledged
  damaged,      // an acknowledged batch is gone or changed; what is in front of it can be kept
  rolled_back,  // it ends before what the database has seen of it
  impossible,   // what is in it cannot be of this directory, or cannot have happened
  unnamed,  // there are streams that the manifest does not name, or it names some that are not there
};

enum class SnapshotState : uint8_t {
  sound,        // or none is needed
  passed_over,  // the newest is not sound, and the log since the one before is all there
  lost,         // not sound, missing or of another stream, and the log before it is gone
};

enum class DatabaseState : uint8_t {
  none,     // --db none: there is no witness
  away,     // it does not answer
  no_file,  // what has the name of its file, or of one beside it, is none
  fresh,    // it knows nothing of this node
  own,      // it is at the end of the log, or follows
  older,  // it needs a part of the log that is gone, or lacks what was sold before the number of shards changed, and its orders are
          // this directory's
  outdated,          // the same, and nobody can tell whose it is
  ahead,             // it has more than the log
  foreign,           // as much, of another history
  newer_generation,  // it has streams that this directory cannot explain, or more of one that it had
};

enum class LedgerState : uint8_t {
  embedded,
  open,      // shared, and the registry knows this node or has nothing against it
  away,      // shared, and the registry does not answer: Redis and the drainer's transactions will
  left,      // the log was shared, and the start says embedded
  stranger,  // this node's number is another directory's, so this is another sale's or a new one
  fenced,    // this directory was retired
};

struct Evidence {
  Directory directory = Directory::own;
  ManifestState manifest = ManifestState::sound;
  Log log = Log::whole;
  SnapshotState snapshot = SnapshotState::sound;
  DatabaseState database = DatabaseState::own;
  LedgerState ledger = LedgerState::embedded;
  bool accepts_loss = false;
  bool is_resharded = false;  // --shards is another number than the manifest's

  friend bool operator==(const Evidence&, const Evidence&) = default;
};

enum class Course : uint8_t { go_on, go_on_and_complete, go_on_after_loss, deal_out_anew, refuse };

// The line of the table. Of a refusal the line that the operator reads is made from it (its reason's line in findings.h).
enum class Reason : uint8_t {
  all_fits,
  manifest_damaged,
  manifest_missing,
  newer_version,
  another_node,
  another_machine,
  streams_unnamed,
  fenced,
  stranger,
  ledger_left,
  log_impossible,
  snapshot_lost,
  generation_newer,
  database_no_file,
  database_older,
  database_outdated,
  log_damaged,
  log_rolled_back,
  database_ahead,
  database_foreign,
  loss_pending,
  loss_without_database,
  reshard_after_loss,
  reshard_without_database,
};

struct Verdict {
  Course course = Course::refuse;
  Reason reason = Reason::all_fits;
  ExitCode exit_code = kExitOk;  // of a refusal

  friend bool operator==(const Verdict&, const Verdict&) = default;
};

[[nodiscard]] constexpr Verdict refuse(Reason reason, ExitCode exit_code = kExitLogDamaged) {
  return {.course = Course::refuse, .reason = reason, .exit_code = exit_code};
}

// What has gone that was acknowledged, if anything has; a start goes on behind it only when the operator says so.
[[nodiscard]] constexpr Reason loss_in(const Evidence& found) {
  if (found.log == Log::damaged) return Reason::log_damaged;
  if (found.log == Log::rolled_back) return Reason::log_rolled_back;
  if (found.database == DatabaseState::ahead) return Reason::database_ahead;
  if (found.database == DatabaseState::foreign) return Reason::database_foreign;
  if (found.directory == Directory::after_loss) return Reason::loss_pending;
  return Reason::all_fits;
}

[[nodiscard]] constexpr Verdict judge_identity(const Evidence& found) {
  if (found.directory == Directory::newer_version) return refuse(Reason::newer_version, kExitUsage);
  if (found.manifest == ManifestState::damaged) return refuse(Reason::manifest_damaged);
  const bool is_fresh = found.directory == Directory::fresh;
  if (found.manifest == ManifestState::missing && !is_fresh)
    return refuse(Reason::manifest_missing);
  if (found.directory == Directory::another_machine)
    return refuse(Reason::another_machine, kExitUsage);
  if (found.directory == Directory::another_node) return refuse(Reason::another_node, kExitUsage);
  if (found.log == Log::unnamed) return refuse(Reason::streams_unnamed);
  if (found.ledger == LedgerState::fenced) return refuse(Reason::fenced);
  if (found.ledger == LedgerState::stranger) return refuse(Reason::stranger, kExitUsage);
  if (found.ledger == LedgerState::left) return refuse(Reason::ledger_left, kExitUsage);
  return {.course = Course::go_on};
}

[[nodiscard]] constexpr Verdict judge(const Evidence& found) {
  if (const Verdict whose = judge_identity(found); whose.course == Course::refuse) return whose;
  if (found.log == Log::impossible) return refuse(Reason::log_impossible);
  if (found.snapshot == SnapshotState::lost) return refuse(Reason::snapshot_lost);
  if (found.database == DatabaseState::no_file) return refuse(Reason::database_no_file);
  if (found.database == DatabaseState::newer_generation) return refuse(Reason::generation_newer);
  if (found.database == DatabaseState::outdated) return refuse(Reason::database_outdated);
  if (const Reason loss = loss_in(found); loss != Reason::all_fits) {
    // A loss that an earlier start accepted stays accepted until that start's work is done.
    if (!found.accepts_loss && loss != Reason::loss_pending) return refuse(loss);
    if (found.is_resharded) return refuse(Reason::reshard_after_loss, kExitUsage);
    if (found.database == DatabaseState::away)
      return refuse(Reason::loss_without_database, kExitFailure);
    return {.course = Course::go_on_after_loss, .reason = loss};
  }
  if (!found.is_resharded && found.database == DatabaseState::older)
    return {.course = Course::go_on_and_complete, .reason = Reason::database_older};
  if (!found.is_resharded) return {.course = Course::go_on};
  if (found.database == DatabaseState::away)
    return refuse(Reason::reshard_without_database, kExitFailure);
  return {.course = Course::deal_out_anew};
}

}  // namespace stampede::node
