#include "shard/restore.h"

#include <algorithm>

#include "base/diag.h"

namespace stampede::shard {
namespace {

using namespace orderlog;  // the records: half of this file is their names

Moment moment_of(const BatchHeader& header, BootId now) {
  return {.wall_ns = header.wall_ns, .boot_ns = header.boot_id == now ? header.boot_ns : 0};
}

// What apply() must know of an image: whether its deadline belongs to this boot.
Moment image_moment(BootId snapshot, BootId now) {
  return {.wall_ns = 0, .boot_ns = snapshot == now ? 1 : 0};
}

Reserve reserve_of(const stock::StreamState& state, const stock::Order& order) {
  return {.order = order.id,
          .item = state.item_of(order),
          .quantity = order.quantity,
          .amount = order.amount,
          .currency = order.currency,
          .created_ms = order.created_ms,
          .pay_before_ms = order.pay_before_ms,
          .body_hash = order.body_hash,
          .user = state.user_of(order),
          .key = state.text(order.key)};
}

OrderImage image_of(const stock::StreamState& state, const stock::Order& order) {
  return {.reserve = reserve_of(state, order),
          .state = order.state,
          .refund_due = order.refund_due,
          .last_lsn = order.last_lsn,
          .deadline_boot_ns = order.deadline_boot_ns};
}

// Visits the payments of an order, oldest first, so that building the chain again leaves it as it was.
template <typename Visit>
Status for_each_payment(const stock::StreamState& state, const stock::Order& order, Visit visit) {
  std::vector<uint32_t> newest_first;
  for (uint32_t at = order.first_payment; at != kNone; at = state.payment(at).next)
    newest_first.push_back(at);
  for (auto at = newest_first.rbegin(); at != newest_first.rend(); ++at) {
    const stock::DecidedPayment& payment = state.payment(*at);
    const Status status = visit(PaymentImage{{.outcome = payment.outcome,
                                              .order = order.id,
                                              .amount = payment.amount,
                                              .currency = payment.currency,
                                              .received_ms = payment.received_ms,
                                              .payment_id = state.text(payment.id)}});
    if (!status) return status;
  }
  return Ok{};
}

// Orders in the order of their ids: the chains of a user's orders are rebuilt newest last, and ids rise with time.
std::vector<uint32_t> orders_by_id(const stock::StreamState& state) {
  std::vector<uint32_t> live;
  live.reserve(state.orders_live());
  for (uint32_t index = 0; index < state.orders_touched(); ++index)
    if (state.order(index).is_live) live.push_back(index);
  std::sort(live.begin(), live.end(),
            [&](uint32_t a, uint32_t b) { return state.order(a).id < state.order(b).id; });
  return live;
}

template <typename Visit>
Status for_each_item_record(const stock::StreamState& state, Visit visit) {
  for (const stock::RegisteredItem& item : state.items()) {
    if (Status status = visit(record_of(item.terms)); !status) return status;
    const Supply supply{
        .item = item.terms.id, .supplied = item.supplied, .withdrawn = item.withdrawn};
    if (Status status = visit(supply); !status) return status;
  }
  for (const std::string& op_id : state.op_ids())
    if (Status status = visit(Admin{.op_id = op_id}); !status) return status;
  return Ok{};
}

struct Snapshot {
  std::unique_ptr<stock::StreamState> state;
  SnapshotFacts facts;
  uint32_t segment = 1;
};

// The newest snapshot that is sound; an empty state when there is none.
Result<Snapshot> read_newest_snapshot(const RestoreInput& input) {
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
        return Snapshot{std::move(state), *facts, segment};
      }
      head = facts.error();
    }
    diag::warning("%s; trying the one before", head.error().message.c_str());
  }
  return Snapshot{std::make_unique<stock::StreamState>(input.hash_key, input.orders_max), {}, 1};
}

}  // namespace

Result<RestoredStream> restore_stream(const RestoreInput& input) {
  Result<Snapshot> snapshot = read_newest_snapshot(input);
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

Status write_snapshot(const stock::StreamState& state, const StreamFiles& files,
                      SnapshotFacts facts) {
  SnapshotWriter writer(files);
  if (Status status = writer.begin(facts.position.segment); !status) return status;
  const auto append = [&](const Record& record) { return writer.append(record); };
  if (Status status = for_each_item_record(state, append); !status) return status;
  if (state.promised_epoch() != 0)
    if (Status status = append(Epoch{.epoch = state.promised_epoch()}); !status) return status;
  for (ItemId item = 0; item < state.stocks().size(); ++item) {
    const stock::ItemStock& stock = state.stocks()[item];
    if (stock.accepted == 0) continue;
    if (Status status = append(Grant{.item = item, .accepted = stock.accepted}); !status)
      return status;
    if (Status status = append(GiveBack{.item = item, .returned = stock.returned}); !status)
      return status;
    if (stock.forgotten == 0) continue;
    if (Status status = append(SoldImage{.item = item, .units = stock.forgotten}); !status)
      return status;
  }
  for (const uint32_t index : orders_by_id(state)) {
    const stock::Order& order = state.order(index);
    if (Status status = append(image_of(state, order)); !status) return status;
    if (Status status = for_each_payment(state, order, append); !status) return status;
  }
  facts.sequence_max = state.sequence_max();
  return writer.finish(facts);
}

// ---- snapshots while the server runs ----

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
  Result<Snapshot> snapshot = read_newest_snapshot(input);
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
  if (Status status = write_snapshot(state, files, facts); !status) return status;
  Result<uint32_t> covered = remove_old_snapshots(files);
  if (!covered) return covered.error();
  covered_below_[stream].store(*covered, std::memory_order_release);
  return Ok{};
}

// ---- another number of shards ----

Status reshard(const std::vector<std::unique_ptr<stock::StreamState>>& old_states,
               const std::string& data_dir, const Manifest& manifest, uint32_t orders_max,
               BootId boot_id) {
  std::vector<std::unique_ptr<stock::StreamState>> states;
  for (uint32_t shard = 0; shard < manifest.shard_count; ++shard)
    states.push_back(std::make_unique<stock::StreamState>(manifest.hash_key, orders_max));
  const Moment now_boot{.wall_ns = 0, .boot_ns = 1};
  const auto put = [&](stock::StreamState& state, const Record& record) {
    return state.apply(record, 0, now_boot);
  };
  const auto accept = [&](stock::StreamState& state, ItemId item, Units units) {
    return put(state, Grant{.item = item, .accepted = state.stock(item).accepted + units});
  };

  if (Status status =
          for_each_item_record(*old_states[0], [&](const Record& r) { return put(*states[0], r); });
      !status)
    return status;
  uint64_t sequence_max = 0, promised_epoch = 0;
  for (const auto& old : old_states) {
    promised_epoch = std::max(promised_epoch, old->promised_epoch());
    sequence_max = std::max(sequence_max, old->sequence_max());
    for (ItemId item = 0; item < old->stocks().size(); ++item) {
      const Units forgotten = old->stocks()[item].forgotten;
      if (forgotten == 0) continue;
      if (Status status = accept(*states[0], item, forgotten); !status) return status;
      if (Status status = put(*states[0], SoldImage{.item = item, .units = forgotten}); !status)
        return status;
    }
    for (const uint32_t index : orders_by_id(*old)) {
      const stock::Order& order = old->order(index);
      stock::StreamState& to = *states[shard_of_slot(order.id.slot(), manifest.shard_count)];
      if (order.holds_units())
        if (Status status = accept(to, old->item_of(order), order.quantity); !status) return status;
      OrderImage image = image_of(*old, order);
      image.last_lsn =
          0;  // numbers of the old streams mean nothing in the new ones; all of it is durable and drained
      if (Status status = put(to, image); !status) return status;
      if (Status status =
              for_each_payment(*old, order, [&](const Record& r) { return put(to, r); });
          !status)
        return status;
    }
  }
  for (uint32_t shard = 0; shard < manifest.shard_count; ++shard) {
    const StreamFiles files = stream_files(data_dir, manifest, shard);
    if (Status status = make_directories(files.dir); !status) return status;
    states[shard]->raise_sequence(sequence_max);
    if (Status status = put(*states[shard], Epoch{.epoch = promised_epoch}); !status) return status;
    if (Status status = write_snapshot(*states[shard], files, {.boot_id = boot_id}); !status)
      return status;
  }
  return Ok{};
}

}  // namespace stampede::shard
