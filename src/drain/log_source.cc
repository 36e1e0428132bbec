#include "drain/log_source.h"

#include "orderlog/snapshot.h"

namespace stampede::drain {
namespace {

constexpr uint32_t kFirstSegment = 1;

}  // namespace

// A stream that began with the orders of another number of shards has them in snapshots alone. The manifest says that it did: its first
// snapshot goes when there are two newer ones, and its first segment may be there for longer.
Result<bool> LogSource::has_beginning() {
  const Result<uint32_t> oldest = oldest_segment();
  if (!oldest) return oldest.error();
  return *oldest == kFirstSegment && !files_.known.begins_with_snapshot;
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
