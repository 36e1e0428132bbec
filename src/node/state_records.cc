#include "node/state_records.h"

#include <algorithm>

#include "stock/record_values.h"

namespace stampede::node {

using namespace orderlog;  // the records: half of this file is their names

namespace {

Reserve reserve_of(const stock::StreamState& state, const stock::Order& order) {
  return {.order = order.id,
          .item = state.item_of(order),
          .quantity = order.quantity,
          .amount = order.amount,
          .currency = order.currency,
          .created_ms = order.created_ms,
          .pay_before_ms = order.pay_before_ms(),
          .body_hash = stock::body_hash_of(state.item_of(order), order.quantity),
          .user = state.user_of(order),
          .key = state.text(order.key())};
}

}  // namespace

OrderImage image_of(const stock::StreamState& state, const stock::Order& order) {
  return {.reserve = reserve_of(state, order),
          .state = order.state,
          .refund_due = order.refund_due,
          .last_lsn = order.last_lsn,
          .deadline_boot_ns = order.deadline_boot_ns};
}

Status for_each_payment(const stock::StreamState& state, const stock::Order& order,
                        const RecordSink& visit) {
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

std::vector<uint32_t> orders_by_id(const stock::StreamState& state) {
  std::vector<uint32_t> live;
  live.reserve(state.orders_live());
  for (uint32_t index = 0; index < state.orders_touched(); ++index)
    if (state.order(index).is_live) live.push_back(index);
  std::sort(live.begin(), live.end(),
            [&](uint32_t a, uint32_t b) { return state.order(a).id < state.order(b).id; });
  return live;
}

Status for_each_item_record(const stock::StreamState& state, const RecordSink& visit) {
  for (const stock::RegisteredItem& item : state.items()) {
    if (Status status = visit(record_of(item.terms)); !status) return status;
    const Supply supply{
        .item = item.terms.id, .supplied = item.supplied, .withdrawn = item.withdrawn};
    if (Status status = visit(supply); !status) return status;
  }
  for (const auto& [op_id, op] : state.ops()) {
    const Admin applied{.item = op.item, .op_id = op_id, .what = op.what};
    if (Status status = visit(applied); !status) return status;
  }
  for (const auto& [about, word] : state.block_words()) {
    const Block block{.is_network = about.first, .word = word, .subject = about.second};
    if (Status status = visit(block); !status) return status;
  }
  return Ok{};
}

static Status for_each_record(const stock::StreamState& state, const RecordSink& append) {
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
  return Ok{};
}

Result<uint64_t> write_snapshot(const stock::StreamState& state, const StreamFiles& files,
                                SnapshotFacts facts) {
  SnapshotWriter writer(files);
  if (Status status = writer.begin(facts.position.segment); !status) return status.error();
  const auto append = [&](const Record& record) { return writer.append(record); };
  if (Status status = for_each_record(state, append); !status) return status.error();
  facts.sequence_max = state.sequence_max();
  return writer.finish(facts);
}

}  // namespace stampede::node
