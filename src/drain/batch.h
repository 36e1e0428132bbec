// The changes of one transaction in the database: the records of some log batches, folded into rows.
//
// During a flash sale most orders are reserved and a good part is paid or cancelled seconds later.
// Folding all that happens to one order within a batch into one row saves the second write of it
// (an update costs as much as an insert, about 2.5 µs), and a sink has only three kinds of change,
// however many kinds of record there are:
//
//   reserve              → a new order
//   paid, late_paid      → state and payment id of the order; a payment
//   refund_due           → the amount is added to the order's refund_due; a payment
//   payment_rejected     → a payment; the order stays as it is
//   cancel, expire       → state of the order
//   order_image          → a new order as it is by now (see start_rebuild)
//   payment_image        → a payment, and the payment id of a paid order
//   everything else      → nothing
//
// One thread. A batch owns its texts but the item codes, which belong to ItemNames.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "drain/item_names.h"
#include "order.h"
#include "orderlog/marks.h"
#include "orderlog/record.h"
#include "stream_key.h"

namespace stampede::drain {

// How far a database has a stream.
struct StreamPosition {
  StreamKey stream;
  // Of the next log batch: position.next_lsn − 1 is the last record that the database has.
  orderlog::Position position;
};

struct NewOrder {
  Lsn lsn = 0;
  OrderId order;
  std::string_view item;  // code
  UserText user;
  Quantity quantity = 0;
  Money amount = 0;
  Currency currency{};
  OrderState state = OrderState::reserved;
  int64_t created_ms = 0;
  int64_t pay_before_ms = 0;
  int64_t updated_ms = 0;
  PaymentText payment;  // empty: none
  Money refund_due = 0;
};

// To an order that an earlier batch made.
struct OrderChange {
  Lsn lsn = 0;  // of the first record folded in
  OrderId order;
  std::optional<OrderState> state;
  PaymentText payment;  // empty: stays as it is
  Money refund_added = 0;
  int64_t updated_ms = 0;
};

struct NewPayment {
  Lsn lsn = 0;
  OrderId order;
  PaymentText payment;
  Money amount = 0;
  Currency currency{};
  orderlog::RecordType outcome = orderlog::RecordType::paid;
  int64_t received_ms = 0;
};

class Batch {
 public:
  explicit Batch(const ItemNames& names) : names_(names) {}

  // Empties the batch for records of `stream` from `before` on; nullopt: the database has no
  // position of that stream.
  void start(const StreamKey& stream, const std::optional<orderlog::Position>& before);

  // The same for the images of a snapshot: rows replace those that are there, so that a rebuild that was
  // cut off can begin again. The position moves (or the stream gets one) only with the last of these batches.
  void start_rebuild(const StreamKey& stream, const std::optional<orderlog::Position>& before);

  void add(Lsn lsn, const orderlog::Record& record);

  // The line of `rejected` with this id is deleted with this batch, whose rows hold the same.
  void settle_reject(int64_t id) { settled_rejects_.push_back(id); }

  // All records before `after` have been added; `wall_ns` is when the log batch in front of it was
  // made.
  void advance(const orderlog::Position& after, int64_t wall_ns);

  const StreamKey& stream() const { return stream_; }
  // The position to compare with and the one to set; nullopt: none, and after(): it stays without.
  const std::optional<orderlog::Position>& before() const { return before_; }
  const std::optional<orderlog::Position>& after() const { return after_; }
  bool is_rebuild() const { return is_rebuild_; }
  int64_t wall_ns() const { return wall_ns_; }
  size_t records() const { return records_; }  // added so far, rows or not
  // Set when a new order's item has no code: the order is missing, so this must not be written.
  const std::optional<ItemId>& unknown_item() const { return unknown_item_; }
  size_t rows() const { return orders_.size() + changes_.size() + payments_.size(); }

  const std::vector<NewOrder>& orders() const { return orders_; }
  const std::vector<OrderChange>& changes() const { return changes_; }
  const std::vector<NewPayment>& payments() const { return payments_; }
  const std::vector<int64_t>& settled_rejects() const { return settled_rejects_; }

 private:
  // Where this batch already has an order: in orders_ or in changes_.
  struct Place {
    bool is_new;
    size_t index;
  };
  struct Effect {
    std::optional<OrderState> state;
    std::string_view payment;
    Money refund_added = 0;
    int64_t at_ms = 0;
  };

  void add_order(Lsn lsn, const orderlog::Reserve& reserve, OrderState state, Money refund_due);
  void add_payment(Lsn lsn, const orderlog::Payment& payment);
  void apply(Lsn lsn, OrderId order, const Effect& effect);

  const ItemNames& names_;
  StreamKey stream_;
  std::optional<orderlog::Position> before_, after_;
  bool is_rebuild_ = false;
  int64_t wall_ns_ = 0;
  size_t records_ = 0;
  std::optional<ItemId> unknown_item_;
  std::vector<NewOrder> orders_;
  std::vector<OrderChange> changes_;
  std::vector<NewPayment> payments_;
  std::vector<int64_t> settled_rejects_;
  std::unordered_map<uint64_t, Place> places_;  // by order id
};

}  // namespace stampede::drain
