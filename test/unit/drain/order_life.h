// A life of some orders, cut into log batches at random, and the rows that it must end in, found in
// the plainest way: what a sink with a failing database below it is held against.
#pragma once

#include <map>
#include <random>

#include "support.h"

namespace stampede::drain::testing {

// What one order should look like, found in the plainest way.
struct Expected {
  std::string state = "reserved";
  std::string payment_id;
  Money refund_due = 0;
  size_t payments = 0;
  friend bool operator==(const Expected&, const Expected&) = default;
};
using ExpectedOrders = std::map<std::string, Expected>;

inline std::string hex(OrderId order) {
  char text[17];
  std::snprintf(text, sizeof text, "%016lx", order.value);
  return text;
}

inline ExpectedOrders expect(const std::vector<orderlog::Record>& records, Lsn last) {
  ExpectedOrders orders;
  for (Lsn lsn = 1; lsn <= last; ++lsn) {
    const orderlog::Record& record = records[lsn - 1];
    if (const auto* reserved = std::get_if<orderlog::Reserve>(&record))
      orders[hex(reserved->order)];
    if (const auto* cancelled = std::get_if<orderlog::Cancel>(&record))
      orders[hex(cancelled->order)].state = "cancelled";
    if (const auto* expired = std::get_if<orderlog::Expire>(&record))
      orders[hex(expired->order)].state = "expired";
    if (const auto* money = std::get_if<orderlog::Payment>(&record)) {
      Expected& order = orders[hex(money->order)];
      ++order.payments;
      if (money->outcome == orderlog::RecordType::paid ||
          money->outcome == orderlog::RecordType::late_paid)
        order.state = "paid", order.payment_id = money->payment_id;
      if (money->outcome == orderlog::RecordType::refund_due) order.refund_due += money->amount;
    }
  }
  return orders;
}

// A snapshot of what the records up to `last` made.
inline std::vector<orderlog::Record> images(const std::vector<orderlog::Record>& records,
                                            Lsn last) {
  std::map<uint64_t, orderlog::OrderImage> orders;
  std::map<uint64_t, std::vector<orderlog::Payment>> payments;
  for (Lsn lsn = 1; lsn <= last; ++lsn) {
    const orderlog::Record& record = records[lsn - 1];
    if (const auto* reserved = std::get_if<orderlog::Reserve>(&record))
      orders[reserved->order.value].reserve = *reserved;
    if (const auto* cancelled = std::get_if<orderlog::Cancel>(&record))
      orders[cancelled->order.value].state = OrderState::cancelled;
    if (const auto* expired = std::get_if<orderlog::Expire>(&record))
      orders[expired->order.value].state = OrderState::expired;
    if (const auto* money = std::get_if<orderlog::Payment>(&record)) {
      payments[money->order.value].push_back(*money);
      orderlog::OrderImage& order = orders[money->order.value];
      if (money->outcome == orderlog::RecordType::paid ||
          money->outcome == orderlog::RecordType::late_paid)
        order.state = OrderState::paid;
      if (money->outcome == orderlog::RecordType::refund_due) order.refund_due += money->amount;
    }
  }
  std::vector<orderlog::Record> all;
  for (const auto& [id, order] : orders) {
    all.emplace_back(order);
    for (const orderlog::Payment& payment : payments[id])
      all.emplace_back(orderlog::PaymentImage{payment});
  }
  return all;
}

inline ExpectedOrders read_orders(const Contents& contents) {
  ExpectedOrders orders;
  for (const StoredOrder& row : contents.orders)
    orders[row.order_id] = {.state = row.state,
                            .payment_id = row.payment_id.value_or(""),
                            .refund_due = row.refund_due,
                            .payments = 0};
  for (const StoredPayment& row : contents.payments) ++orders[row.order_id].payments;
  return orders;
}

struct OrderLife {
  explicit OrderLife(uint64_t orders = 60) {
    set_ticket(names);
    for (int i = 0; i < 100; ++i) payment_ids.push_back("payment-" + std::to_string(i));
    for (uint64_t number = 1; number <= orders; ++number) {
      records.push_back(reserve(number));
      const uint64_t older = 1 + random() % number;
      const std::string& id = payment_ids[random() % payment_ids.size()];
      if (is_closed[older]++) continue;
      switch (random() % 5) {
        case 0:
          records.push_back(cancel(older));
          break;
        case 1:
          records.push_back(expire(older));
          records.push_back(payment(orderlog::RecordType::late_paid, older, id));
          break;
        case 2:
          records.push_back(paid(older, id));
          break;
        case 3:
          records.push_back(expire(older));
          records.push_back(payment(orderlog::RecordType::refund_due, older, id, 10));
          records.push_back(payment(orderlog::RecordType::refund_due, older, "again", 7));
          break;
        case 4:
          records.push_back(payment(orderlog::RecordType::payment_rejected, older, id));
          break;
      }
    }
    for (size_t i = 0; i < records.size();) {
      const size_t count = std::min<size_t>(1 + random() % 6, records.size() - i);
      log.append({records.begin() + static_cast<ptrdiff_t>(i),
                  records.begin() + static_cast<ptrdiff_t>(i + count)},
                 random() % 4 == 0);
      i += count;
    }
  }

  // From now on the log begins with this segment, and a snapshot has what was before it.
  void forget_log_before(uint32_t segment) {
    const orderlog::Position begin = log.begin_of(segment);
    log.set_snapshot(images(records, begin.next_lsn - 1), begin);
    log.recycle_below(segment);
  }

  // The rows are those of the records up to the position, no more and no fewer. Its last record.
  Lsn check_rows(const Contents& contents) const {
    const Lsn drained =
        contents.positions.empty() ? 0 : contents.positions[0].position.next_lsn - 1;
    CAPTURE(drained);
    REQUIRE(read_orders(contents) == expect(records, drained));
    REQUIRE(contents.rejects.empty());
    return drained;
  }

  uint64_t seed = std::random_device{}();
  std::mt19937_64 random{seed};
  std::map<uint64_t, int> is_closed;
  std::vector<std::string> payment_ids;
  std::vector<orderlog::Record> records;
  ItemNames names;
  MemoryLog log;
};

}  // namespace stampede::drain::testing
