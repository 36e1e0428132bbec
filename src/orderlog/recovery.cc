#include "orderlog/recovery.h"

#include <algorithm>
#include <ranges>

#include "base/check.h"
#include "orderlog/preview.h"
#include "orderlog/snapshot.h"
#include "orderlog/tail.h"

namespace stampede::orderlog {
namespace {

std::string place_of(const StreamFiles& files, const Sighting& sighting) {
  return "segment " + std::to_string(sighting.segment) + " (" +
         files.segment_path(sighting.segment) + ") offset " + std::to_string(sighting.offset);
}

// The table's row for the bytes at the place of batch n.
AtEnd classify(const Reader::Found& found, const Reader& reader, const Expected& end,
               const Tail& tail) {
  switch (found.flaw) {
    case Flaw::blank:
      return AtEnd::unused;
    case Flaw::no_header:
      // In a file that was used before, the old bytes between two old headers look like nothing.
      if (resembles_header(reader.block(), end)) return AtEnd::remains;
      return tail.is_reused ? AtEnd::former_life : AtEnd::remains;
    case Flaw::segment:
    case Flaw::batch_seq:
      return found.header->batch_seq < end.position.batch_seq ? AtEnd::former_life
                                                              : AtEnd::impossible;
    case Flaw::prev_chain:
      return AtEnd::former_life;
    case Flaw::body_sum:
    case Flaw::padding:
      return AtEnd::remains;
    case Flaw::version:
    case Flaw::log_uuid:
    case Flaw::stream:
    case Flaw::first_lsn:
    case Flaw::body_bytes:
    case Flaw::records:
    case Flaw::no_room:
      return AtEnd::impossible;
    case Flaw::none:
      break;
  }
  CHECK(false);
}

bool is_foreign(Flaw flaw) {
  return flaw == Flaw::version || flaw == Flaw::log_uuid || flaw == Flaw::stream;
}

class Run {
 public:
  Run(const RecoveryInput& input, const RecordVisitor& visit)
      : input_(input), files_(input.files), visit_(visit), reader_(input.files, input.start) {}

  Result<RecoveryReport> go() {
    report_.end = input_.start;
    report_.last_lsn = input_.start.next_lsn - 1;
    if (Status listed = list(); !listed) return listed.error();
    if (report_.outcome == RecoveryOutcome::damaged) return report_;
    if (segments_.empty()) return judge_empty();
    if (Status read = read_batches(); !read) return read.error();
    if (report_.outcome == RecoveryOutcome::damaged) return report_;
    if (Status judged = judge_end(); !judged) return judged.error();
    return report_;
  }

 private:
  // The segments from the start position on, without a hole.
  Status list() {
    Result<SegmentList> list = list_segments(files_);
    if (!list) return list.error();
    if (!list->misfit.empty()) return damaged(list->misfit);
    const std::vector<uint32_t>& all = list->segments;
    segments_.assign(std::lower_bound(all.begin(), all.end(), input_.start.segment), all.end());
    const bool is_new = input_.start == Position{} && all.empty() && !files_.known.has_begun;
    if (segments_.empty() && !is_new) return missing(input_.start.segment);
    for (size_t i = 0; i < segments_.size(); ++i)
      if (segments_[i] != input_.start.segment + i)
        return missing(static_cast<uint32_t>(input_.start.segment + i));
    return Ok{};
  }

  Result<RecoveryReport> judge_empty() {
    if (const Witness* witness = find_witness()) static_cast<void>(damaged(rolled_back(*witness)));
    return report_;
  }

  Status read_batches() {
    while (true) {
      Result<Reader::Found> found = reader_.look();
      if (!found) return found.error();
      if (found->flaw != Flaw::none) {
        found_ = std::move(*found);
        return Ok{};
      }
      const Batch& batch = *found->batch;
      if (const Status passed = visit_batch(batch); !passed)
        return damaged(reader_.where() + ": " + passed.error().message);
      if (is_of_another_history(batch))
        return damaged(reader_.where() + ": the " + files_.known_from +
                       " has another batch here: one of the two is not as it was written");
      report_.batches += 1;
      report_.records += batch.record_count();
      report_.last_lsn = batch.last_lsn();
      report_.last_wall_ns = batch.header().wall_ns;
      report_.epoch = batch.header().epoch;
      reader_.skip(batch);
      report_.end = reader_.position();
    }
  }

  Status visit_batch(const Batch& batch) {
    records_.clear();
    batch.for_each([&](Lsn, const Record& record) { records_.push_back(record); });
    const Lsn first = batch.first_lsn();
    const auto show = [&](size_t i) {
      if (input_.preview) input_.preview(first + i, records_[i]);
    };
    return visit_with_preview(records_, show, [&](size_t i) -> Status {
      const Status visited = visit_(first + i, records_[i], batch);
      if (visited) return visited;
      return Error{"record " + std::to_string(first + i) + ": " + visited.error().message};
    });
  }

  Status judge_end() {
    if (found_.flaw == Flaw::no_room) return damaged(reader_.describe(found_.flaw).message);
    const Expected end{files_.log_uuid, files_.stream, report_.end};
    const auto after = std::upper_bound(segments_.begin(), segments_.end(), report_.end.segment);
    const std::vector<uint32_t> later(after, segments_.end());
    const Result<Tail> tail =
        is_known_end() ? scan_heads(files_, end, later) : scan_tail(files_, end, later);
    if (!tail) return tail.error();

    const Witness* const witness = find_witness();
    const Evidence evidence{.at_end = classify(found_, reader_, end, *tail),
                            .has_later = tail->later.has_value(),
                            .has_witness = witness != nullptr,
                            .has_foreign = tail->foreign || is_foreign(found_.flaw),
                            .has_moved = has_moved()};
    switch (judge(evidence)) {
      case RecoveryOutcome::clean:
        return Ok{};
      case RecoveryOutcome::torn:
        cut(*tail, reader_.describe(found_.flaw).message);
        return Ok{};
      case RecoveryOutcome::damaged:
        break;
    }
    const std::string reason = explain(*tail, witness);
    if (!input_.accepts_loss || evidence.has_foreign) return damaged(reason);
    report_.segments_aside = later;
    if (Status listed = list_passed_over(); !listed) return listed.error();
    cut(*tail, reason);
    return Ok{};
  }

  std::string explain(const Tail& tail, const Witness* witness) const {
    const std::string reason = reader_.describe(found_.flaw).message;
    if (is_foreign(found_.flaw)) return reason;
    if (tail.foreign)
      return reason + "; and " + place_of(files_, *tail.foreign) +
             " holds a batch of another log or version";
    if (tail.later)
      return reason + "; but batch " + std::to_string(tail.later->header.batch_seq) +
             " was written after it at " + place_of(files_, *tail.later) +
             ", so acknowledged orders are gone";
    if (witness != nullptr) return reason + "; but " + rolled_back(*witness);
    if (has_moved())
      return reason + "; but the " + files_.known_from + " says that the log of stream " +
             std::to_string(files_.stream) + " was at rest behind record " +
             std::to_string(files_.known.last_lsn) + ", and here it ends with record " +
             std::to_string(report_.last_lsn) +
             ": the manifest or a snapshot is not of one history with it";
    return reason;
  }

  void cut(const Tail& tail, const std::string& reason) {
    report_.outcome = RecoveryOutcome::torn;
    report_.torn_bytes = tail.bytes;
    report_.message = reason;
  }

  bool is_of_another_history(const Batch& batch) const {
    const KnownStream& known = files_.known;
    return known.chain != 0 && batch.last_lsn() == known.last_lsn && batch.chain() != known.chain;
  }

  bool was_at_rest() const { return files_.known.is_at_rest && files_.known.chain != 0; }

  bool is_where_it_rested() const {
    return report_.end.prev_chain == files_.known.chain &&
           report_.last_lsn == files_.known.last_lsn;
  }

  bool has_moved() const { return was_at_rest() && !is_where_it_rested(); }

  // A former use of the file, unless it was all read, looks like remains: it is looked at more closely.
  bool is_known_end() const {
    return was_at_rest() && is_where_it_rested() && found_.flaw == Flaw::blank;
  }

  Status list_passed_over() {
    const Result<std::vector<uint32_t>> snapshots = list_snapshots(files_);
    if (!snapshots) return snapshots.error();
    for (const uint32_t segment : *snapshots)
      if (segment > input_.start.segment) report_.snapshots_aside.push_back(segment);
    return Ok{};
  }

  const Witness* find_witness() const {
    if (manifest_.lsn > report_.last_lsn) return &manifest_;
    for (const Witness& witness : input_.witnesses)
      if (witness.lsn > report_.last_lsn) return &witness;
    return nullptr;
  }

  std::string rolled_back(const Witness& witness) const {
    return "the log of stream " + std::to_string(files_.stream) + " in " + files_.dir +
           " ends with record " + std::to_string(report_.last_lsn) + ", and the " + witness.name +
           " has seen record " + std::to_string(witness.lsn) +
           ": acknowledged orders are gone, or this is an older copy";
  }

  Status missing(uint32_t segment) { return damaged(files_.segment_path(segment) + " is missing"); }

  Status damaged(const std::string& message) {
    report_.outcome = RecoveryOutcome::damaged;
    report_.message = message;
    return Ok{};
  }

  const RecoveryInput& input_;
  const StreamFiles& files_;
  const RecordVisitor& visit_;
  const Witness manifest_{files_.known_from, files_.known.last_lsn};
  Reader reader_;
  std::vector<uint32_t> segments_;
  Reader::Found found_;
  std::vector<Record> records_;  // of one batch, with texts that lie in it
  RecoveryReport report_;
};

}  // namespace

Result<RecoveryReport> recover(const RecoveryInput& input, const RecordVisitor& visit) {
  Result<RecoveryReport> report = Run(input, visit).go();
  if (!report && report.error().is_damage)
    return RecoveryReport{.outcome = RecoveryOutcome::damaged, .message = report.error().message};
  if (!report || input.is_read_only || report->outcome == RecoveryOutcome::damaged) return report;
  if (Status repaired = repair(input, *report); !repaired) return repaired.error();
  return report;
}

Status repair(const RecoveryInput& input, RecoveryReport& report) {
  CHECK(report.outcome != RecoveryOutcome::damaged);
  const StreamFiles& files = input.files;
  // Names that a crash left in doubt are durable before anything is built on them.
  if (Status synced = sync_directory(files.dir); !synced) return synced;
  for (const uint32_t segment : report.snapshots_aside)
    if (Status aside = set_snapshot_aside(files, segment, input.wall_ns); !aside) return aside;
  // The last first: a power cut in between leaves a log without a hole, so that the loss can be accepted again.
  for (const uint32_t segment : report.segments_aside | std::views::reverse)
    if (Status aside = set_aside(files, segment, input.wall_ns); !aside) return aside;
  if (report.outcome == RecoveryOutcome::torn) {
    Result<std::string> file = cut_tail(files, report.end, report.torn_bytes, input.wall_ns);
    if (!file) return file.error();
    report.torn_file = *file;
  }
  // Bytes that an earlier life gave to the kernel only (--durability os) are made durable before anything is written behind them:
  // else a power cut could leave a hole.
  const Result<SegmentList> list = list_segments(files);
  if (!list) return list.error();
  for (const uint32_t segment : list->segments) {
    if (segment < input.start.segment || segment > report.end.segment) continue;
    if (Status synced = sync_segment(files, segment); !synced) return synced;
  }
  return Ok{};
}

}  // namespace stampede::orderlog
