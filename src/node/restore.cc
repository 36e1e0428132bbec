#include "node/restore.h"

#include "base/diag.h"

namespace stampede::node {

using namespace orderlog;  // the records: half of this file is their names

namespace {

// What apply() must know of an image: whether its deadline belongs to this boot.
Moment image_moment(BootId snapshot, BootId now) {
  return {.wall_ns = 0, .boot_ns = snapshot == now ? 1 : 0};
}

}  // namespace

Moment moment_of(const BatchHeader& header, BootId now) {
  return {.wall_ns = header.wall_ns, .boot_ns = header.boot_id == now ? header.boot_ns : 0};
}

Result<NewestSnapshot> read_newest_snapshot(const RestoreInput& input) {
  Result<std::vector<uint32_t>> snapshots = list_snapshots(input.files);
  if (!snapshots) return snapshots.error();
  for (const uint32_t segment : *snapshots) {
    auto state = std::make_unique<stock::StreamState>(input.hash_key, input.orders_max);
    Result<SnapshotFacts> head = read_snapshot_facts(input.files, segment);
    if (head) {
      const Moment at = image_moment(head->boot_id, input.boot_id);
      Result<SnapshotFacts> facts = read_snapshot(input.files, segment, [&](const Record& record) {
        return state->apply(record, head->position.next_lsn - 1, at);
      });
      if (facts) {
        state->raise_sequence(facts->sequence_max);
        return NewestSnapshot{std::move(state), *facts, segment};
      }
      head = facts.error();
    }
    diag::warning("%s; trying the one before", head.error().message.c_str());
  }
  return NewestSnapshot{
      std::make_unique<stock::StreamState>(input.hash_key, input.orders_max), {}, 1};
}

Result<RestoredStream> restore_stream(const RestoreInput& input) {
  Result<NewestSnapshot> snapshot = read_newest_snapshot(input);
  if (!snapshot) return snapshot.error();
  stock::StreamState& state = *snapshot->state;
  const RecoveryInput recovery{.files = input.files,
                               .start = snapshot->facts.position,
                               .witnesses = input.witnesses,
                               .is_read_only = input.is_read_only,
                               .accepts_loss = input.accepts_loss,
                               .wall_ns = input.wall_ns};
  Result<RecoveryReport> report =
      recover(recovery, [&](Lsn lsn, const Record& record, const Batch& batch) {
        return state.apply(record, lsn, moment_of(batch.header(), input.boot_id));
      });
  if (!report) return report.error();
  return RestoredStream{.state = std::move(snapshot->state),
                        .report = *report,
                        .snapshot_segment = snapshot->segment,
                        .records = snapshot->facts.record_count + report->records};
}

}  // namespace stampede::node
