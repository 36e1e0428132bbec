#include "stock/record_values.h"

namespace stampede::stock {
namespace {

constexpr bool is_within(int64_t value, int64_t max) {
  return value >= 0 && value <= max;
}

}  // namespace

const char* flaw_of(const orderlog::Item& record) {
  if (record.item >= bounds::item_count_max) return "an impossible item number";
  if (record.code.empty()) return "an item without a code";
  if (!is_within(record.price, bounds::price_max)) return "an impossible price";
  if (!is_within(record.starts_ms, kWallMsMax)) return "an impossible start of the sale";
  if (!is_within(record.ends_ms, kWallMsMax)) return "an impossible end of the sale";
  if (!is_within(record.pay_window_s, bounds::pay_window_s_max)) return "an impossible pay window";
  return nullptr;
}

const char* flaw_of(const orderlog::Supply& record) {
  if (record.supplied > kUnitsMax) return "an impossible supply";
  return record.withdrawn > record.supplied ? "more units withdrawn than supplied" : nullptr;
}

const char* flaw_of(const orderlog::Grant& record) {
  if (record.item >= bounds::item_count_max) return "an impossible item number";
  return record.accepted > kUnitsMax ? "an impossible number of units" : nullptr;
}

const char* flaw_of(const orderlog::SequenceFloor& record) {
  return record.sequence > kSequenceMax ? "an impossible number of an order" : nullptr;
}

const char* flaw_of(const orderlog::Block& record) {
  return record.subject.empty() ? "a word about nobody" : nullptr;
}

const char* flaw_of(const orderlog::Reserve& record) {
  if (record.order.sequence() == 0) return "an impossible number of an order";
  if (record.item >= bounds::item_count_max) return "an impossible item number";
  if (record.quantity == 0) return "an order of no units";
  if (record.quantity > bounds::quantity_max) return "an impossible quantity";
  if (!is_within(record.amount, bounds::money_max)) return "an impossible amount";
  if (!is_within(record.created_ms, kWallMsMax)) return "an impossible time";
  // With both bounds checked the difference cannot overflow.
  if (!is_within(record.pay_before_ms, kWallMsMax + kWindowMsMax)) return "an impossible deadline";
  if (!is_within(record.pay_before_ms - record.created_ms, kWindowMsMax))
    return "an impossible pay window";
  return nullptr;
}

const char* flaw_of(const orderlog::Payment& record) {
  if (!is_within(record.amount, bounds::money_max)) return "an impossible amount";
  if (!is_within(record.received_ms, kWallMsMax)) return "an impossible time";
  return nullptr;
}

const char* flaw_of(const orderlog::OrderImage& record) {
  if (const char* const flaw = flaw_of(record.reserve)) return flaw;
  if (!is_within(record.refund_due, kRefundMax)) return "an impossible refund";
  if (!is_within(record.deadline_boot_ns, 2 * kBootNsMax)) return "an impossible deadline";
  if (record.state == OrderState::reserved && record.refund_due != 0)
    return "a refund of an unpaid order";
  return nullptr;
}

const char* flaw_of(const orderlog::SoldImage& record) {
  if (record.item >= bounds::item_count_max) return "an impossible item number";
  return record.units > kUnitsMax ? "an impossible number of units" : nullptr;
}

}  // namespace stampede::stock
