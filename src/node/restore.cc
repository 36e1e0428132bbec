#include "node/restore.h"

#include <algorithm>

#include "base/diag.h"
#include "base/words.h"
#include "orderlog/preview.h"

namespace stampede::node {

using namespace orderlog;  // the records: half of this file is their names

namespace {

// What apply() must know of an image: whether its deadline belongs to this boot.
Moment image_moment(BootId snapshot, BootId now) {
  return {.wall_ns = 0, .boot_ns = snapshot == now ? 1 : 0};
}

std::unique_ptr<stock::StreamState> empty_state(const RestoreInput& input) {
  return std::make_unique<stock::StreamState>(input.hash_key, input.orders_max);
}

// A user's orders are in the one stream that the hash of the user names. An order elsewhere would not be found: its
// limit and its key would not count.
Status check_home(const RestoreInput& input, const Reserve& record, uint64_t user_hash) {
  const StreamFiles& files = input.files;
  if (files.stream_count == 0) return Ok{};
  const uint32_t slot = record.order.slot();
  if (record.order.node() != files.node) return Error{"an order of another node", true};
  if (slot != slot_of(user_hash))
    return Error{
        "an order whose user is not at home here: hash_key in the manifest is not the log's", true};
  if (shard_of_slot(slot, files.stream_count) != files.stream)
    return Error{"an order of another stream: shard_count in the manifest is not the log's", true};
  return Ok{};
}

// apply() for records that come from files.
Status apply_recovered(const RestoreInput& input, stock::StreamState& state, const Record& record,
                       Lsn lsn, Moment at) {
  const auto* const image = std::get_if<OrderImage>(&record);
  const auto* const reserve = image != nullptr ? &image->reserve : std::get_if<Reserve>(&record);
  if (reserve != nullptr)
    if (Status home = check_home(input, *reserve, state.user_hash(reserve->user)); !home)
      return home;
  return state.apply(record, lsn, at);
}

// Reservations of the log, most of what there is to apply: each waits for two or three lines of memory that nobody has used
// lately, unless they are asked for some records ahead.
class ReservesAhead {
 public:
  explicit ReservesAhead(const stock::StreamState& state) : state_(state) {}

  void preview(Lsn lsn, const Record& record) {
    const auto* const reserve = std::get_if<Reserve>(&record);
    if (reserve == nullptr) return;
    const uint64_t user_hash = state_.user_hash(reserve->user);
    hashes_[lsn % kPreviewRecords] = user_hash;
    state_.prefetch(user_hash, reserve->item);
  }
  // Of a reservation that was previewed, and none more than kPreviewRecords behind it.
  uint64_t user_hash(Lsn lsn) const { return hashes_[lsn % kPreviewRecords]; }

 private:
  const stock::StreamState& state_;
  std::array<uint64_t, kPreviewRecords> hashes_{};
};

Status apply_logged(const RestoreInput& input, stock::StreamState& state,
                    const ReservesAhead& ahead, const Record& record, Lsn lsn, Moment at) {
  const auto* const reserve = std::get_if<Reserve>(&record);
  if (reserve == nullptr) return apply_recovered(input, state, record, lsn, at);
  const uint64_t user_hash = ahead.user_hash(lsn);
  if (Status home = check_home(input, *reserve, user_hash); !home) return home;
  return state.apply(*reserve, {.user = user_hash, .key = state.key_hash(reserve->key)}, lsn, at);
}

void preview_image(const stock::StreamState& state, const Record& record) {
  const auto* const image = std::get_if<OrderImage>(&record);
  if (image == nullptr) return;
  state.prefetch(state.user_hash(image->reserve.user), image->reserve.item);
}

Result<NewestSnapshot> read_one(const RestoreInput& input, uint32_t segment) {
  const KnownStream& known = input.files.known;
  const Result<SnapshotFacts> head = read_snapshot_facts(input.files, segment);
  if (!head) return head.error();
  const bool is_first = segment == 1;
  if (is_first && known.first_snapshot_sum != 0 && known.first_snapshot_sum != head->sum)
    return Error{snapshot_path(input.files, 1) + " is not the one that the manifest names", true};
  auto state = empty_state(input);
  const Moment at = image_moment(head->boot_id, input.boot_id);
  const Result<SnapshotFacts> facts = read_snapshot(
      input.files, segment,
      [&](const Record& record) {
        return apply_recovered(input, *state, record, head->position.next_lsn - 1, at);
      },
      [&](const Record& record) { preview_image(*state, record); });
  if (!facts && !state->has_overflowed()) return facts.error();
  if (Status raised = state->apply(SequenceFloor{head->sequence_max}, 0, at); !raised)
    return Error{snapshot_path(input.files, segment) + ": " + raised.error().message, true};
  return NewestSnapshot{.state = std::move(state), .facts = *head, .segment = segment};
}

// The segments that will be read, as the files are: the last one is rarely full.
void announce(const RestoreInput& input, const Position& start) {
  if (input.progress == nullptr) return;
  const Result<SegmentList> list = list_segments(input.files);
  if (!list) return;  // recovery will say so
  const auto count = std::ranges::count_if(
      list->segments, [&](uint32_t segment) { return segment >= start.segment; });
  input.progress->grow(static_cast<uint64_t>(count) * input.files.segment_bytes);
}

RestoredStream damaged(std::unique_ptr<stock::StreamState> state, const std::string& message) {
  return {.state = std::move(state),
          .report = {.outcome = RecoveryOutcome::damaged, .message = message}};
}

}  // namespace

Moment moment_of(const BatchHeader& header, BootId now) {
  return {.wall_ns = header.wall_ns, .boot_ns = header.boot_id == now ? header.boot_ns : 0};
}

Result<NewestSnapshot> read_newest_snapshot(const RestoreInput& input) {
  Result<std::vector<uint32_t>> snapshots = list_snapshots(input.files);
  if (!snapshots) return snapshots.error();
  std::string problem;
  std::vector<uint32_t> unsound;
  for (const uint32_t segment : *snapshots) {
    Result<NewestSnapshot> snapshot = read_one(input, segment);
    if (snapshot || !snapshot.error().is_damage) {
      if (snapshot) snapshot->problem = problem;
      if (snapshot) snapshot->unsound = std::move(unsound);
      return snapshot;
    }
    unsound.push_back(segment);
    if (problem.empty()) problem = snapshot.error().message;
    diag::warning("%s; trying the one before", snapshot.error().message.c_str());
  }
  if (input.files.known.begins_with_snapshot)
    return Error{problem.empty() ? snapshot_path(input.files, 1) + " is missing" : problem, true};
  return NewestSnapshot{
      .state = empty_state(input), .problem = problem, .unsound = std::move(unsound)};
}

Result<RestoredStream> restore_stream(const RestoreInput& input) {
  Result<NewestSnapshot> snapshot = read_newest_snapshot(input);
  if (!snapshot && !snapshot.error().is_damage) return snapshot.error();
  if (!snapshot) {
    RestoredStream lost = damaged(empty_state(input), snapshot.error().message);
    lost.snapshot = SnapshotState::lost;
    return lost;
  }
  stock::StreamState& state = *snapshot->state;
  if (state.has_overflowed())
    return damaged(std::move(snapshot->state),
                   "the snapshot holds more orders than there is room for");
  ReservesAhead ahead(state);
  const RecoveryInput recovery{
      .files = input.files,
      .start = snapshot->facts.position,
      .witnesses = input.witnesses,
      .is_read_only = input.is_read_only,
      .accepts_loss = input.accepts_loss,
      .wall_ns = input.wall_ns,
      .preview = [&](Lsn lsn, const Record& record) { ahead.preview(lsn, record); }};
  announce(input, snapshot->facts.position);
  Result<RecoveryReport> report = recover(recovery, [&](Lsn lsn, const Record& record,
                                                        const Batch& batch) {
    if (input.progress != nullptr && lsn == batch.header().first_lsn)
      input.progress->add(kHeaderBytes + batch.header().body_bytes);
    return apply_logged(input, state, ahead, record, lsn, moment_of(batch.header(), input.boot_id));
  });
  if (!report) return report.error();
  // The log behind an older snapshot is gone: the newer one is what was damaged.
  const bool is_passed_over = !snapshot->problem.empty();
  if (report->outcome == RecoveryOutcome::damaged && is_passed_over)
    report->message = snapshot->problem + "; without it " + report->message;
  return RestoredStream{
      .state = std::move(snapshot->state),
      .start = snapshot->facts.position,
      .snapshot = is_passed_over ? SnapshotState::passed_over : SnapshotState::sound,
      .report = *report,
      .snapshot_segment = snapshot->segment,
      .records = snapshot->facts.record_count + report->records};
}

Status check_together(const std::vector<RestoredStream>& streams) {
  const size_t items = streams[0].state->items().size();
  for (size_t i = 0; i < streams.size(); ++i)
    if (streams[i].state->stocks().size() > items)
      return Error{"stream " + std::to_string(i) + " has units of item number " +
                       std::to_string(streams[i].state->stocks().size() - 1) +
                       ", and stream 0 knows only " + counted(items, "item"),
                   true};
  return Ok{};
}

}  // namespace stampede::node
