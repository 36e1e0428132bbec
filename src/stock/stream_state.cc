#include "stock/stream_state.h"

#include <variant>

#include "base/hex.h"
#include "stock/record_values.h"

namespace stampede::stock {
namespace {

using orderlog::RecordType;

Error refuse(const char* why, OrderId id) {
  return {std::string(why) + " (order " + std::string(Hex64Text(id.value).view()) + ")"};
}

Error refuse_item(const char* why, ItemId item) {
  char text[160];
  std::snprintf(text, sizeof text, "%s (item number %u)", why, item);
  return {text};
}

// Numbers rise one by one, so orders made together lie together, and making one misses no cache. Those of streams that were
// dealt out anew may be the same: as many in a bucket as there were shards.
uint64_t bucket_of_id(OrderId id) {
  return id.sequence();
}

uint64_t bucket_of_holding(uint64_t user_hash, ItemId item) {
  return mix(user_hash + item * 0x9e3779b97f4a7c15ULL);
}

uint64_t bucket_of_key(OrderHashes hashes) {
  return mix(hashes.user) ^ hashes.key;
}

// Of an order's record in a snapshot, and of a payment's, but for their texts.
const uint64_t kOrderImageBytes = encoded_bytes(orderlog::OrderImage{});
const uint64_t kPaymentImageBytes = encoded_bytes(orderlog::PaymentImage{});

// Texts: a name per user, a key per order, ids of payments.
constexpr uint32_t texts_for(uint32_t orders_max) {
  return orders_max < (1u << 30) ? orders_max * 4 : UINT32_MAX;
}

}  // namespace

StreamState::StreamState(const HashKey& key, uint32_t orders_max)
    : key_(key),
      orders_max_(orders_max),
      orders_(orders_max),
      holdings_(orders_max),
      users_(orders_max),
      payments_(orders_max * 2),
      texts_(texts_for(orders_max)),
      by_id_(orders_max, Touch::lazily),
      by_key_(orders_max),
      by_holding_(orders_max),
      by_user_(orders_max) {}

Status StreamState::apply(const orderlog::Record& record, Lsn lsn, Moment at) {
  Status applied = std::visit([&](const auto& one) { return apply_one(one, lsn, at); }, record);
  if (applied && lsn > last_lsn_) last_lsn_ = lsn;
  return applied;
}

Status StreamState::apply(const orderlog::Reserve& record, OrderHashes hashes, Lsn lsn, Moment at) {
  Status applied = reserve(record, hashes, lsn, at);
  if (applied && lsn > last_lsn_) last_lsn_ = lsn;
  return applied;
}

const ItemStock& StreamState::stock(ItemId item) const {
  static constexpr ItemStock kUntouched;
  return item < stocks_.size() ? stocks_[item] : kUntouched;
}

Status StreamState::refuse_overflow(OrderId id) {
  has_overflowed_ = true;
  return refuse("more orders than --orders-max", id);
}

ItemStock& StreamState::stock_for(ItemId item) {
  if (item >= stocks_.size()) stocks_.resize(item + 1);
  return stocks_[item];
}

OrderHashes StreamState::hashes_of(const orderlog::Reserve& record) const {
  return {.user = user_hash(record.user), .key = key_hash(record.key)};
}

// ---- finding ----

uint32_t StreamState::find_order(OrderId id) const {
  uint32_t at = by_id_.first(bucket_of_id(id));
  while (at != kNone && orders_[at].id != id) at = orders_[at].next_by_id;
  return at;
}

uint32_t StreamState::find_by_key(OrderHashes hashes, std::string_view user,
                                  std::string_view key) const {
  uint32_t at = by_key_.first(bucket_of_key(hashes));
  for (; at != kNone; at = orders_[at].next_by_key) {
    const Order& order = orders_[at];
    if (texts_.view(order.key()) == key && user_of(order) == user) break;
  }
  return at;
}

uint32_t StreamState::find_holding(uint64_t user_hash, std::string_view user, ItemId item) const {
  uint32_t at = by_holding_.first(bucket_of_holding(user_hash, item));
  for (; at != kNone; at = holdings_[at].next) {
    const Holding& holding = holdings_[at];
    if (holding.item == item && is_user(holding.owner, user_hash, user)) break;
  }
  return at;
}

uint32_t StreamState::find_user(uint64_t user_hash, std::string_view user) const {
  for (uint32_t index = by_user_.first(mix(user_hash)); index != kNone; index = users_[index].next)
    if (is_user(index, user_hash, user)) return index;
  return kNone;
}

bool StreamState::is_user(uint32_t index, uint64_t user_hash, std::string_view user) const {
  return users_[index].hash == user_hash && texts_.view(users_[index].name) == user;
}

void StreamState::prefetch(uint64_t user_hash, ItemId item) const {
  by_holding_.prefetch(bucket_of_holding(user_hash, item));
  by_user_.prefetch(mix(user_hash));
}

void StreamState::prefetch_key(OrderHashes hashes) const {
  by_key_.prefetch(bucket_of_key(hashes));
}

void StreamState::prefetch(OrderId id) const {
  by_id_.prefetch(bucket_of_id(id));
}

void StreamState::prefetch_cells(OrderId id) const {
  orders_.prefetch(by_id_.first(bucket_of_id(id)));
}

void StreamState::prefetch_cells(uint64_t user_hash, ItemId item) const {
  holdings_.prefetch(by_holding_.first(bucket_of_holding(user_hash, item)));
  users_.prefetch(by_user_.first(mix(user_hash)));
}

// Numbers rise: one above all that were given is nobody's, and needs no look-up.
bool StreamState::is_known(OrderId id) const {
  return id.sequence() <= sequence_max_ && find_order(id) != kNone;
}

uint32_t StreamState::find_payment(uint32_t order, std::string_view payment_id) const {
  uint32_t at = orders_[order].first_payment;
  while (at != kNone && texts_.view(payments_[at].id) != payment_id) at = payments_[at].next;
  return at;
}

OrderView StreamState::view(uint32_t index) const {
  const Order& order = orders_[index];
  return {.id = order.id,
          .item = item_of(order),
          .quantity = order.quantity,
          .state = order.state,
          .currency = order.currency,
          .amount = order.amount,
          .refund_due = order.refund_due,
          .created_ms = order.created_ms,
          .pay_before_ms = order.pay_before_ms(),
          .user = UserText(user_of(order))};
}

// ---- stock ----

Status StreamState::apply_one(const orderlog::Grant& record, Lsn, Moment) {
  if (const char* const flaw = flaw_of(record)) return refuse_item(flaw, record.item);
  if (record.accepted < stock(record.item).accepted)
    return refuse_item("accepted units went backwards", record.item);
  stock_for(record.item).accepted = record.accepted;
  return Ok{};
}

Status StreamState::apply_one(const orderlog::GiveBack& record, Lsn, Moment) {
  const ItemStock& now = stock(record.item);
  if (record.returned < now.returned)
    return refuse_item("returned units went backwards", record.item);
  if (record.returned - now.returned > now.pool())
    return refuse_item("more units returned than held", record.item);
  if (record.returned == now.returned) return Ok{};
  stock_for(record.item).returned = record.returned;
  return Ok{};
}

// ---- items and operators (shard 0) ----

Status StreamState::apply_one(const orderlog::Item& record, Lsn, Moment) {
  if (const char* const flaw = flaw_of(record)) return refuse_item(flaw, record.item);
  if (record.item > items_.size()) return refuse_item("item number out of order", record.item);
  if (record.item == items_.size()) {
    if (!codes_.emplace(record.code).second)
      return refuse_item("the code of another item", record.item);
    items_.emplace_back();
  } else if (items_[record.item].terms.code.view() != record.code) {
    return refuse_item("an item with another code", record.item);
  }
  items_[record.item].terms = terms_of(record);
  return Ok{};
}

Status StreamState::apply_one(const orderlog::Supply& record, Lsn, Moment) {
  if (record.item >= items_.size()) return refuse_item("supply of an unknown item", record.item);
  if (const char* const flaw = flaw_of(record)) return refuse_item(flaw, record.item);
  RegisteredItem& item = items_[record.item];
  if (record.supplied < item.supplied || record.withdrawn < item.withdrawn)
    return refuse_item("supply went backwards", record.item);
  item.supplied = record.supplied;
  item.withdrawn = record.withdrawn;
  return Ok{};
}

Status StreamState::apply_one(const orderlog::Admin& record, Lsn, Moment) {
  if (!record.op_id.empty())
    ops_.try_emplace(std::string(record.op_id),
                     AppliedOp{.item = record.item, .what = std::string(record.what)});
  return Ok{};
}

Status StreamState::apply_one(const orderlog::Block& record, Lsn, Moment) {
  if (const char* const flaw = flaw_of(record)) return Error{flaw};
  const std::pair about{record.is_network, std::string(record.subject)};
  if (record.word == orderlog::BlockWord::none)
    block_words_.erase(about);
  else
    block_words_[about] = record.word;
  return Ok{};
}

Status StreamState::apply_one(const orderlog::Epoch& record, Lsn, Moment) {
  if (record.epoch < promised_epoch_) return Error{"the promised epoch went backwards"};
  promised_epoch_ = record.epoch;
  return Ok{};
}

Status StreamState::apply_one(const orderlog::SequenceFloor& record, Lsn, Moment) {
  if (const char* const flaw = flaw_of(record)) return Error{flaw};
  raise_sequence(record.sequence);
  return Ok{};
}

// ---- orders ----

Status StreamState::apply_one(const orderlog::Reserve& record, Lsn lsn, Moment at) {
  return reserve(record, hashes_of(record), lsn, at);
}

Status StreamState::reserve(const orderlog::Reserve& record, OrderHashes hashes, Lsn lsn,
                            Moment at) {
  if (const char* const flaw = flaw_of(record)) return refuse(flaw, record.order);
  if (at.boot_ns < 0 || at.boot_ns > kBootNsMax)
    return refuse("an impossible moment", record.order);
  if (is_known(record.order)) return refuse("order number used twice", record.order);
  if (stock(record.item).pool() < record.quantity)
    return refuse("reservation of units that the stream does not hold", record.order);
  if (!has_room_for_order()) return refuse_overflow(record.order);
  const uint32_t index = insert_order(record, hashes, lsn);
  Order& order = orders_[index];
  // A deadline of an earlier boot cannot be compared: the reservation gets its whole time again (late is safe).
  if (at.boot_ns != 0) order.deadline_boot_ns = at.boot_ns + ns_of_ms(order.pay_window_ms);
  stocks_[record.item].reserved += record.quantity;
  set_active(index, OrderState::reserved);
  return Ok{};
}

uint32_t StreamState::insert_order(const orderlog::Reserve& record, OrderHashes hashes, Lsn lsn) {
  const uint32_t index = orders_.allocate();
  CHECK(index != kNone);
  Order& order = orders_[index];
  order = Order{};
  order.is_live = true;
  order.id = record.order;
  order.amount = record.amount;
  order.created_ms = record.created_ms;
  order.pay_window_ms = static_cast<uint32_t>(record.pay_before_ms - record.created_ms);
  order.last_lsn = lsn;
  order.quantity = static_cast<uint16_t>(record.quantity);
  order.currency = record.currency;
  order.next_by_id = by_id_.push(bucket_of_id(record.order), index);
  order.holding = holding_for(hashes.user, record.user, record.item);
  if (!record.key.empty()) {
    const TextRef key = texts_.store(record.key);
    order.key_cell = key.cell;
    order.key_bytes = key.size;
    order.next_by_key = by_key_.push(bucket_of_key(hashes), index);
  }
  attach(index);
  if (record.order.sequence() > sequence_max_) sequence_max_ = record.order.sequence();
  image_bytes_ += kOrderImageBytes + record.user.size() + record.key.size();
  return index;
}

uint32_t StreamState::holding_for(uint64_t user_hash, std::string_view user, ItemId item) {
  uint32_t index = find_holding(user_hash, user, item);
  if (index != kNone) return index;
  index = holdings_.allocate();
  CHECK(index != kNone);  // as many cells as orders, and each holding has at least one order
  Holding& holding = holdings_[index];
  const uint32_t owner = user_for(user_hash, user);
  holding = Holding{.owner = owner, .item = item};
  holding.next = by_holding_.push(bucket_of_holding(user_hash, item), index);
  return index;
}

uint32_t StreamState::user_for(uint64_t user_hash, std::string_view user) {
  uint32_t index = find_user(user_hash, user);
  if (index != kNone) return index;
  index = users_.allocate();
  CHECK(index != kNone);  // as many cells as orders, and each user has at least one order
  users_[index] = User{.hash = user_hash, .name = texts_.store(user)};
  users_[index].next = by_user_.push(mix(user_hash), index);
  return index;
}

void StreamState::attach(uint32_t order_index) {
  Order& order = orders_[order_index];
  Holding& holding = holdings_[order.holding];
  order.older = holding.newest;
  if (holding.newest != kNone) orders_[holding.newest].newer = order_index;
  holding.newest = order_index;
  ++holding.orders;
  ++users_[holding.owner].orders;
  count_in(order_index);
}

// Takes an order out of all that it stands in but the hash tables of its id and key.
void StreamState::detach(uint32_t order_index) {
  const Order& order = orders_[order_index];
  const uint32_t holding_index = order.holding;
  Holding& holding = holdings_[holding_index];
  const uint32_t owner = holding.owner;
  count_out(order_index);
  if (order.newer != kNone) orders_[order.newer].older = order.older;
  if (order.older != kNone) orders_[order.older].newer = order.newer;
  if (holding.newest == order_index) holding.newest = order.older;
  if (holding.active_from == order_index) holding.active_from = order.older;
  if (--holding.orders == 0) {
    by_holding_.remove(bucket_of_holding(users_[owner].hash, holding.item), holding_index,
                       [&](uint32_t i) -> uint32_t& { return holdings_[i].next; });
    holdings_.release(holding_index);
  }
  User& user = users_[owner];
  if (--user.orders > 0) return;
  by_user_.remove(mix(user.hash), owner, [&](uint32_t i) -> uint32_t& { return users_[i].next; });
  texts_.release(user.name);
  users_.release(owner);
}

// Every change of an order's state goes through here: what is counted of its user follows.
void StreamState::set_state(uint32_t order_index, OrderState state) {
  count_out(order_index);
  orders_[order_index].state = state;
  count_in(order_index);
}

void StreamState::count_in(uint32_t order_index) {
  Order& order = orders_[order_index];
  User& user = owner_of(order_index);
  if (order.state == OrderState::paid) ++user.paid;
  if (order.state == OrderState::expired) {
    ++user.lapsed;
    user.last_lapse_ms = std::max(user.last_lapse_ms, order.pay_before_ms());
  }
  if (order.state != OrderState::reserved) return;
  ++user.open;
  user.room_key = 0;
  order.prev_open = kNone;
  order.next_open = user.first_open;
  if (user.first_open != kNone) orders_[user.first_open].prev_open = order_index;
  user.first_open = order_index;
}

void StreamState::count_out(uint32_t order_index) {
  Order& order = orders_[order_index];
  User& user = owner_of(order_index);
  if (order.state == OrderState::paid) --user.paid;
  if (order.state == OrderState::expired) --user.lapsed;
  if (order.state != OrderState::reserved) return;
  CHECK(user.open > 0);
  --user.open;
  user.room_key = 0;
  (order.prev_open == kNone ? user.first_open : orders_[order.prev_open].next_open) =
      order.next_open;
  if (order.next_open != kNone) orders_[order.next_open].prev_open = order.prev_open;
}

void StreamState::set_active(uint32_t order_index, OrderState state) {
  Order& order = orders_[order_index];
  Holding& holding = holdings_[order.holding];
  set_state(order_index, state);
  holding.units += order.quantity;
  // Of two orders only the list knows which is the newer: the numbers in a log that is not ours may stand in any order.
  holding.active_from = holding.newest;
}

void StreamState::set_inactive(uint32_t order_index, OrderState state) {
  Order& order = orders_[order_index];
  Holding& holding = holdings_[order.holding];
  set_state(order_index, state);
  CHECK(holding.units >= order.quantity);
  holding.units -= order.quantity;
}

uint32_t StreamState::newest_active(uint32_t holding) {
  uint32_t& active = holdings_[holding].active_from;
  while (active != kNone && !orders_[active].holds_units()) active = orders_[active].older;
  return active;
}

Status StreamState::release_reserved(OrderId id, OrderState state, Lsn lsn) {
  const uint32_t index = find_order(id);
  if (index == kNone) return refuse("change of an unknown order", id);
  Order& order = orders_[index];
  if (order.state != OrderState::reserved)
    return refuse("cancel or expiry of an order that is not reserved", id);
  ItemStock& stock = stocks_[item_of(order)];
  CHECK(stock.reserved >= order.quantity);
  stock.reserved -= order.quantity;
  order.last_lsn = lsn;
  set_inactive(index, state);
  return Ok{};
}

Status StreamState::apply_one(const orderlog::Cancel& record, Lsn lsn, Moment) {
  return release_reserved(record.order, OrderState::cancelled, lsn);
}

Status StreamState::apply_one(const orderlog::Expire& record, Lsn lsn, Moment) {
  return release_reserved(record.order, OrderState::expired, lsn);
}

Status StreamState::apply_one(const orderlog::Payment& record, Lsn lsn, Moment) {
  const uint32_t index = find_order(record.order);
  if (index == kNone) return refuse("payment of an unknown order", record.order);
  if (find_payment(index, record.payment_id) != kNone)
    return refuse("payment decided twice", record.order);
  if (const char* const flaw = flaw_of(record)) return refuse(flaw, record.order);
  if (payments_.is_full()) return refuse("more payments than there is room for", record.order);
  Order& order = orders_[index];
  ItemStock& stock = stocks_[item_of(order)];
  switch (record.outcome) {
    case RecordType::paid:
      if (order.state != OrderState::reserved)
        return refuse("payment of an order that is not reserved", record.order);
      CHECK(stock.reserved >= order.quantity);
      stock.reserved -= order.quantity;
      stock.paid += order.quantity;
      set_state(index, OrderState::paid);
      break;
    case RecordType::late_paid:
      if (order.state != OrderState::expired)
        return refuse("late payment of an order in time", record.order);
      if (stock.pool() < order.quantity) return refuse("late payment without units", record.order);
      stock.paid += order.quantity;
      set_active(index, OrderState::paid);
      break;
    case RecordType::refund_due:
      if (order.state == OrderState::reserved)
        return refuse("refund of an unpaid order", record.order);
      if (order.refund_due > kRefundMax - record.amount)
        return refuse("a refund beyond all money", record.order);
      order.refund_due += record.amount;
      break;
    case RecordType::payment_rejected:
      break;
    default:
      return refuse("unknown outcome of a payment", record.order);
  }
  order.last_lsn = lsn;
  add_payment(index, record);
  return Ok{};
}

void StreamState::add_payment(uint32_t order_index, const orderlog::Payment& record) {
  const uint32_t index = payments_.allocate();
  CHECK(index != kNone);
  payments_[index] = DecidedPayment{.next = orders_[order_index].first_payment,
                                    .outcome = record.outcome,
                                    .currency = record.currency,
                                    .id = texts_.store(record.payment_id),
                                    .amount = record.amount,
                                    .received_ms = record.received_ms};
  orders_[order_index].first_payment = index;
  image_bytes_ += kPaymentImageBytes + record.payment_id.size();
}

// Units of a paid order stay counted as paid: only the memory of who bought them goes.
Status StreamState::apply_one(const orderlog::Forget& record, Lsn, Moment) {
  const uint32_t index = find_order(record.order);
  if (index == kNone) return refuse("an unknown order is forgotten", record.order);
  Order& order = orders_[index];
  if (order.state == OrderState::reserved)
    return refuse("an open order is forgotten", record.order);
  Holding& holding = holdings_[order.holding];
  for (uint32_t payment = order.first_payment; payment != kNone;) {
    const uint32_t next = payments_[payment].next;
    image_bytes_ -= kPaymentImageBytes + payments_[payment].id.size;
    texts_.release(payments_[payment].id);
    payments_.release(payment);
    payment = next;
  }
  image_bytes_ -= kOrderImageBytes + user_of(order).size() + order.key_bytes;
  by_id_.remove(bucket_of_id(order.id), index,
                [&](uint32_t i) -> uint32_t& { return orders_[i].next_by_id; });
  if (order.key_bytes != 0) {
    const std::string_view key = texts_.view(order.key());
    by_key_.remove(bucket_of_key({.user = users_[holding.owner].hash, .key = key_hash(key)}), index,
                   [&](uint32_t i) -> uint32_t& { return orders_[i].next_by_key; });
    texts_.release(order.key());
  }
  if (order.state == OrderState::paid) {
    stocks_[holding.item].forgotten += order.quantity;
    CHECK(stocks_[holding.item].forgotten <= stocks_[holding.item].paid);
    set_inactive(index, OrderState::cancelled);
  }
  detach(index);
  order.is_live = false;
  orders_.release(index);
  return Ok{};
}

Status StreamState::apply_one(const orderlog::Recovery&, Lsn, Moment) {
  return Ok{};
}
Status StreamState::apply_one(const orderlog::SegmentEnd&, Lsn, Moment) {
  return Ok{};
}

// ---- snapshots ----

// The item's grant and return stand before its orders in a snapshot, so the pool covers them.
Status StreamState::apply_one(const orderlog::OrderImage& image, Lsn lsn, Moment at) {
  const orderlog::Reserve& record = image.reserve;
  if (const char* const flaw = flaw_of(image)) return refuse(flaw, record.order);
  // An answer that shows the order would wait for that record for ever.
  if (image.last_lsn > lsn) return refuse("an order changed after the snapshot", record.order);
  if (is_known(record.order)) return refuse("order number used twice", record.order);
  if (!has_room_for_order()) return refuse_overflow(record.order);
  const bool holds = image.state == OrderState::reserved || image.state == OrderState::paid;
  if (holds && this->stock(record.item).pool() < record.quantity)
    return refuse("reservation of units that the stream does not hold", record.order);
  // Also for an order that holds nothing: a late payment would take units of the item.
  ItemStock& stock = stock_for(record.item);
  const uint32_t index = insert_order(record, hashes_of(record), image.last_lsn);
  Order& order = orders_[index];
  set_state(index, image.state);
  order.refund_due = image.refund_due;
  order.deadline_boot_ns = at.boot_ns != 0 ? image.deadline_boot_ns : 0;
  if (!holds) return Ok{};
  (image.state == OrderState::paid ? stock.paid : stock.reserved) += record.quantity;
  set_active(index, image.state);
  return Ok{};
}

Status StreamState::apply_one(const orderlog::PaymentImage& image, Lsn, Moment) {
  const uint32_t index = find_order(image.payment.order);
  if (index == kNone) return refuse("payment of an unknown order", image.payment.order);
  if (const char* const flaw = flaw_of(image.payment)) return refuse(flaw, image.payment.order);
  if (find_payment(index, image.payment.payment_id) != kNone)
    return refuse("payment decided twice", image.payment.order);
  if (payments_.is_full())
    return refuse("more payments than there is room for", image.payment.order);
  add_payment(index, image.payment);
  return Ok{};
}

Status StreamState::apply_one(const orderlog::SoldImage& record, Lsn, Moment) {
  if (const char* const flaw = flaw_of(record)) return refuse_item(flaw, record.item);
  if (stock(record.item).pool() < record.units)
    return refuse_item("more units sold than held", record.item);
  if (record.units == 0) return Ok{};
  ItemStock& stock = stocks_[record.item];
  stock.paid += record.units;
  stock.forgotten += record.units;
  return Ok{};
}

}  // namespace stampede::stock
