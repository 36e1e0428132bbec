#include "orderlog/verification.h"

#include <algorithm>
#include <map>
#include <string>

#include "orderlog/reader.h"
#include "orderlog/snapshot.h"

namespace stampede::orderlog {
namespace {

constexpr int kAttemptsMax = 10;  // when segments are used again while we read them

// Every snapshot, byte by byte; returns where the log goes on behind each.
Result<std::map<uint32_t, Position>> verify_snapshots(const StreamFiles& files) {
  const Result<std::vector<uint32_t>> snapshots = list_snapshots(files);
  if (!snapshots) return snapshots.error();
  std::map<uint32_t, Position> positions;
  for (const uint32_t segment : *snapshots) {
    const auto facts = read_snapshot(files, segment, [](const Record&) -> Status { return Ok{}; });
    if (facts) {
      positions[segment] = facts->position;
      continue;
    }
    // The server removes old ones.
    const Result<std::vector<uint32_t>> now = list_snapshots(files);
    if (!now) return now.error();
    if (std::find(now->begin(), now->end(), segment) != now->end()) return facts.error();
  }
  return positions;
}

RecordVisitor compare_with(const std::map<uint32_t, Position>& snapshots, Progress& progress) {
  return [&snapshots, &progress](Lsn lsn, const Record&, const Batch& batch) -> Status {
    if (lsn == batch.first_lsn()) progress.add(kHeaderBytes + batch.header().body_bytes);
    if (lsn != batch.first_lsn() || batch.offset() != 0) return Ok{};
    const auto found = snapshots.find(batch.segment());
    const bool agrees =
        found == snapshots.end() ||
        (found->second.next_lsn == lsn && found->second.batch_seq == batch.batch_seq() &&
         found->second.prev_chain == batch.header().prev_chain);
    if (agrees) return Ok{};
    return Error{"the snapshot of the segments below does not end here"};
  };
}

Result<RecoveryReport> verify_once(const StreamFiles& files,
                                   const std::map<uint32_t, Position>& snapshots,
                                   Progress& progress) {
  const Result<Position> start = start_of(files);
  if (!start) return start.error();
  Result<RecoveryReport> report = recover({.files = files, .start = *start, .is_read_only = true},
                                          compare_with(snapshots, progress));
  if (report && report->outcome == RecoveryOutcome::damaged && is_sound_by_now(files, report->end))
    report->outcome = RecoveryOutcome::clean;
  return report;
}

// Again while segments are used again under our eyes: then the oldest one is another by now.
Result<RecoveryReport> verify_segments(const StreamFiles& files,
                                       const std::map<uint32_t, Position>& snapshots,
                                       Progress& progress) {
  for (int attempt = 1;; ++attempt) {
    const uint32_t oldest_before = oldest_segment(files);
    Result<RecoveryReport> report = verify_once(files, snapshots, progress);
    const bool is_sound = report && report->outcome != RecoveryOutcome::damaged;
    if (is_sound || attempt == kAttemptsMax || oldest_segment(files) == oldest_before)
      return report;
  }
}

}  // namespace

Result<size_t> check_snapshots(const StreamFiles& files) {
  const auto positions = verify_snapshots(files);
  if (!positions) return positions.error();
  return positions->size();
}

uint32_t oldest_segment(const StreamFiles& files) {
  const Result<SegmentList> list = list_segments(files);
  return list && !list->segments.empty() ? list->segments.front() : 0;
}

Result<Position> start_of(const StreamFiles& files) {
  const Result<SegmentList> list = list_segments(files);
  if (!list) return list.error();
  const Result<std::vector<uint32_t>> snapshots = list_snapshots(files);
  if (!snapshots) return snapshots.error();
  if (snapshots->empty() && files.known.begins_with_snapshot)
    return Error{snapshot_path(files, 1) + " is missing", true};
  for (const uint32_t segment : *snapshots) {
    if (list->segments.empty() || segment != list->segments.front()) continue;
    if (const Result<SnapshotFacts> facts = read_snapshot_facts(files, segment))
      return facts->position;
  }
  return oldest_position(files);
}

bool is_sound_by_now(const StreamFiles& files, const Position& position) {
  Reader reader(files, position);
  const Result<Reader::Found> found = reader.look();
  return found && found->batch;
}

uint64_t bytes_to_verify(const StreamFiles& files) {
  const Result<SegmentList> list = list_segments(files);
  return list ? list->segments.size() * files.segment_bytes : 0;
}

Result<Verified> verify_stream(const StreamFiles& files, Progress& progress) {
  const auto snapshots = verify_snapshots(files);
  if (!snapshots) return snapshots.error();
  const Result<RecoveryReport> report = verify_segments(files, *snapshots, progress);
  if (!report) return report.error();
  if (report->outcome == RecoveryOutcome::damaged)
    return Error{"stream " + std::to_string(files.stream) + ": " + report->message, true};
  return Verified{.log = *report, .snapshots = snapshots->size()};
}

}  // namespace stampede::orderlog
