#include "node/snapshotter.h"

#include <string>

#include "base/diag.h"
#include "node/restore.h"
#include "node/state_records.h"
#include "orderlog/reader.h"

namespace stampede::node {

using namespace orderlog;

Snapshotter::Snapshotter(std::vector<StreamFiles> files, const HashKey& hash_key,
                         uint32_t orders_max, BootId boot_id)
    : files_(std::move(files)),
      hash_key_(hash_key),
      orders_max_(orders_max),
      boot_id_(boot_id),
      covered_below_(files_.size()) {}

void Snapshotter::on_segment_closed(uint32_t stream, uint32_t segment) {
  if (const Status status = make(stream, segment); !status)
    diag::warning("no snapshot of shard %u behind segment %u: %s; its log is kept", stream, segment,
                  status.error().message.c_str());
}

Status Snapshotter::make(uint32_t stream, uint32_t segment) {
  const StreamFiles& files = files_[stream];
  const RestoreInput input{
      .files = files, .hash_key = hash_key_, .orders_max = orders_max_, .boot_id = boot_id_};
  Result<NewestSnapshot> snapshot = read_newest_snapshot(input);
  if (!snapshot) return snapshot.error();
  stock::StreamState& state = *snapshot->state;
  SnapshotFacts facts = snapshot->facts;
  Reader reader(files, facts.position);
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
  if (Result<uint64_t> written = write_snapshot(state, files, facts); !written)
    return written.error();
  Result<uint32_t> covered = remove_old_snapshots(files);
  if (!covered) return covered.error();
  covered_below_[stream].store(*covered, std::memory_order_release);
  return Ok{};
}

}  // namespace stampede::node
