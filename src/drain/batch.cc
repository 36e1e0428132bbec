#include "drain/batch.h"

#include <algorithm>

namespace stampede::drain {

using orderlog::RecordType;

void Batch::start(const StreamKey& stream, const std::optional<orderlog::Position>& before) {
  stream_ = stream;
  before_ = before;
  after_ = before;
  is_rebuild_ = false;
  wall_ns_ = 0;
  records_ = 0;
  unknown_item_.reset();
  orders_.clear();
  changes_.clear();
  payments_.clear();
  settled_rejects_.clear();
  places_.clear();
}

void Batch::start_rebuild(const StreamKey& stream,
                          const std::optional<orderlog::Position>& before) {
  start(stream, before);
  is_rebuild_ = true;
}

void Batch::add(Lsn lsn, const orderlog::Record& record) {
  ++records_;
  if (const auto* reserve = std::get_if<orderlog::Reserve>(&record))
    add_order(lsn, *reserve, OrderState::reserved, 0);
  else if (const auto* payment = std::get_if<orderlog::Payment>(&record))
    add_payment(lsn, *payment);
  else if (const auto* cancel = std::get_if<orderlog::Cancel>(&record))
    apply(lsn, cancel->order, {.state = OrderState::cancelled, .at_ms = cancel->at_ms});
  else if (const auto* expire = std::get_if<orderlog::Expire>(&record))
    apply(lsn, expire->order, {.state = OrderState::expired, .at_ms = expire->at_ms});
  else if (const auto* order_image = std::get_if<orderlog::OrderImage>(&record))
    add_order(lsn, order_image->reserve, order_image->state, order_image->refund_due);
  else if (const auto* payment_image = std::get_if<orderlog::PaymentImage>(&record))
    add_payment(lsn, payment_image->payment);
}

void Batch::advance(const orderlog::Position& after, int64_t wall_ns) {
  after_ = after;
  wall_ns_ = wall_ns;
}

void Batch::add_order(Lsn lsn, const orderlog::Reserve& reserve, OrderState state,
                      Money refund_due) {
  const std::string_view code = names_.code(reserve.item);
  if (code.empty()) {
    unknown_item_ = reserve.item;
    return;
  }
  places_.insert_or_assign(reserve.order.value, Place{.is_new = true, .index = orders_.size()});
  orders_.push_back({.lsn = lsn,
                     .order = reserve.order,
                     .item = code,
                     .user = reserve.user,
                     .quantity = reserve.quantity,
                     .amount = reserve.amount,
                     .currency = reserve.currency,
                     .state = state,
                     .created_ms = reserve.created_ms,
                     .pay_before_ms = reserve.pay_before_ms,
                     .updated_ms = reserve.created_ms,
                     .refund_due = refund_due});
}

void Batch::add_payment(Lsn lsn, const orderlog::Payment& payment) {
  payments_.push_back({.lsn = lsn,
                       .order = payment.order,
                       .payment = payment.payment_id,
                       .amount = payment.amount,
                       .currency = payment.currency,
                       .outcome = payment.outcome,
                       .received_ms = payment.received_ms});
  Effect effect{.at_ms = payment.received_ms};
  if (payment.outcome == RecordType::paid || payment.outcome == RecordType::late_paid) {
    effect.state = OrderState::paid;
    effect.payment = payment.payment_id;
  } else if (payment.outcome == RecordType::refund_due) {
    // The image of an order already holds the sum of its refunds.
    effect.refund_added = is_rebuild_ ? 0 : payment.amount;
  } else {
    return;
  }
  apply(lsn, payment.order, effect);
}

void Batch::apply(Lsn lsn, OrderId id, const Effect& effect) {
  const auto [place, is_first] =
      places_.try_emplace(id.value, Place{.is_new = false, .index = changes_.size()});
  if (is_first) changes_.push_back({.lsn = lsn, .order = id});
  if (place->second.is_new) {
    NewOrder& order = orders_[place->second.index];
    if (effect.state) order.state = *effect.state;
    if (!effect.payment.empty()) order.payment = effect.payment;
    order.refund_due += effect.refund_added;
    order.updated_ms = std::max(order.updated_ms, effect.at_ms);
  } else {
    OrderChange& change = changes_[place->second.index];
    if (effect.state) change.state = effect.state;
    if (!effect.payment.empty()) change.payment = effect.payment;
    change.refund_added += effect.refund_added;
    change.updated_ms = std::max(change.updated_ms, effect.at_ms);
  }
}

}  // namespace stampede::drain
