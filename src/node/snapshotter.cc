#include "node/snapshotter.h"

#include <sys/stat.h>

#include <string>

#include "base/diag.h"
#include "base/words.h"
#include "node/restore.h"
#include "node/state_records.h"
#include "orderlog/reader.h"

namespace stampede::node {

using namespace orderlog;

namespace {

uint64_t size_of(const std::string& path) {
  struct stat facts;
  return ::stat(path.c_str(), &facts) == 0 ? static_cast<uint64_t>(facts.st_size) : 0;
}

// What a start would read when `segment` is the last that is closed: the newest snapshot and the segments since.
Result<uint64_t> read_bytes(const StreamFiles& files, uint32_t segment) {
  const Result<std::vector<uint32_t>> snapshots = list_snapshots(files);
  if (!snapshots) return snapshots.error();
  const uint32_t newest = snapshots->empty() ? 1 : snapshots->front();
  const uint64_t snapshot_bytes =
      snapshots->empty() ? 0 : size_of(snapshot_path(files, snapshots->front()));
  return snapshot_bytes + (uint64_t{segment} + 1 - newest) * files.segment_bytes;
}

}  // namespace

Snapshotter::Snapshotter(std::vector<StreamFiles> files, const HashKey& hash_key,
                         uint32_t orders_max, BootId boot_id, ImageBytes image_bytes)
    : files_(std::move(files)),
      hash_key_(hash_key),
      orders_max_(orders_max),
      boot_id_(boot_id),
      image_bytes_(std::move(image_bytes)),
      covered_below_(files_.size()) {}

void Snapshotter::on_segment_closed(uint32_t stream, uint32_t segment) {
  if (const Status status = make_if_due(stream, segment); !status)
    diag::warning("no snapshot of shard %u behind segment %u: %s; its log is kept", stream, segment,
                  status.error().message.c_str());
}

Status Snapshotter::make_if_due(uint32_t stream, uint32_t segment) {
  diag::debug("shard %u has filled segment %u of its log", stream, segment);
  const RestoreInput input{.files = files_[stream],
                           .hash_key = hash_key_,
                           .orders_max = orders_max_,
                           .boot_id = boot_id_};
  const Result<uint64_t> bytes = read_bytes(input.files, segment);
  if (!bytes) return bytes.error();
  if (is_snapshot_due(image_bytes_(stream), *bytes))
    if (Status made = make(input, segment); !made) return made;
  const Result<uint32_t> covered = remove_old_snapshots(input.files);
  if (!covered) return covered.error();
  covered_below_[stream].store(*covered, std::memory_order_release);
  return Ok{};
}

Status Snapshotter::make(const RestoreInput& input, uint32_t segment) {
  Result<NewestSnapshot> snapshot = read_newest_snapshot(input);
  if (!snapshot) return snapshot.error();
  stock::StreamState& state = *snapshot->state;
  SnapshotFacts facts = snapshot->facts;
  Reader reader(input.files, facts.position);
  while (reader.position().segment <= segment) {
    Result<std::optional<Batch>> batch = reader.next(UINT64_MAX);
    if (!batch) return batch.error();
    if (!batch->has_value())
      return Error{"the log ends before segment " + std::to_string(segment) + " does"};
    Status applied = Ok{};
    (*batch)->for_each([&](Lsn lsn, const Record& record) {
      if (applied) applied = state.apply(record, lsn, moment_of((*batch)->header(), boot_id_));
    });
    if (!applied) return applied;
    facts.epoch = (*batch)->header().epoch;
    facts.wall_ns = (*batch)->header().wall_ns;
  }
  facts.position = reader.position();
  // Deadlines that belong to another boot were cleared while applying: the snapshot speaks of this boot only.
  facts.boot_id = boot_id_;
  if (Result<uint64_t> written = write_snapshot(state, input.files, facts); !written)
    return written.error();
  // One that is not sound would count as the predecessor that is kept, and the sound one would go in its place.
  for (const uint32_t unsound : snapshot->unsound)
    if (Status aside = set_snapshot_aside(input.files, unsound, facts.wall_ns); !aside)
      return aside;
  diag::debug("shard %u has a snapshot of its log up to segment %u: %s", input.files.stream,
              segment, counted(state.orders_live(), "order").c_str());
  return Ok{};
}

}  // namespace stampede::node
