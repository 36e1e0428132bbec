#include "drain/log_source.h"

#include <algorithm>

#include "orderlog/snapshot.h"

namespace stampede::drain {
namespace {

// A stream that began with the orders of another number of shards has a snapshot in front of its
// first segment.
constexpr uint32_t kFirstSegment = 1;

}  // namespace

Result<bool> LogSource::has_beginning() {
  const Result<uint32_t> oldest = oldest_segment();
  if (!oldest) return oldest.error();
  const Result<std::vector<uint32_t>> snapshots = orderlog::list_snapshots(files_);
  if (!snapshots) return snapshots.error();
  return *oldest == kFirstSegment &&
         std::ranges::find(*snapshots, kFirstSegment) == (*snapshots).end();
}

Result<uint32_t> LogSource::oldest_segment() {
  const Result<orderlog::SegmentList> list = orderlog::list_segments(files_);
  if (!list) return list.error();
  return list->segments.empty() ? kFirstSegment : list->segments.front();
}

Result<bool> LogSource::read(Lsn up_to, Batch& batch) {
  const Result<std::optional<orderlog::Batch>> read = reader_->next(up_to);
  if (!read) return read.error();
  if (!*read) return false;
  (*read)->for_each([&](Lsn lsn, const orderlog::Record& record) { batch.add(lsn, record); });
  batch.advance(reader_->position(), (*read)->header().wall_ns);
  return true;
}

Result<std::optional<orderlog::Position>> LogSource::read_snapshot(const Visit& visit) {
  using Answer = std::optional<orderlog::Position>;
  const Result<std::vector<uint32_t>> snapshots = orderlog::list_snapshots(files_);
  if (!snapshots) return snapshots.error();
  Error damage{""};
  for (const uint32_t segment : *snapshots) {
    // Damage near a snapshot's end shows only there, when its first orders would be in the database
    // already: so each is read once without effect.
    const auto sound = orderlog::read_snapshot(files_, segment, [](const auto&) { return Ok{}; });
    if (!sound) {
      damage = sound.error();
      continue;
    }
    const Result<orderlog::SnapshotFacts> facts = orderlog::read_snapshot(files_, segment, visit);
    if (!facts) return facts.error();
    return Answer(facts->position);
  }
  if (!damage.message.empty()) return damage;
  return Answer();
}

}  // namespace stampede::drain
