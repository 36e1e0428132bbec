// Everything that the records of one stream (one shard's order log) say, and nothing else.
//
// The running shard, recovery, snapshots and the tools all build this state through the one function apply(); so what a
// restart finds is what the shard had, by construction. Deciding what to append is the Desk's work (desk.h).
//
// Per item the stream holds, absolute and as its own log says: A units ever accepted from the ledger, R ever given back,
// H reserved (unpaid) and P paid. Its pool, the units it may sell, is A − R − H − P, never negative.
//
// One order costs about 215 bytes here: 96 for itself, 28 for the (user, item) pair, 64 for a user's first, 8–16 each for the texts,
// 16 for its timer and 8 for hash heads. 250 were measured of the whole process, and operators reckon with 300. Owned by one
// thread.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/buckets.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/result.h"
#include "base/slab.h"
#include "base/text_arena.h"
#include "order.h"
#include "orderlog/record.h"
#include "stock/catalog.h"

namespace stampede::stock {

// The stream's book-keeping of one item.
struct ItemStock {
  Units accepted = 0;   // A
  Units returned = 0;   // R
  Units reserved = 0;   // H
  Units paid = 0;       // P
  Units forgotten = 0;  // of P: units whose orders have left memory
  Units pool() const {
    CHECK(accepted >= returned + reserved + paid);
    return accepted - returned - reserved - paid;
  }
};

// A line and a half of the cache.
struct Order {
  OrderId id;
  Money amount = 0;
  Money refund_due = 0;
  int64_t created_ms = 0;
  int64_t deadline_boot_ns = 0;  // when the reservation expires, on this boot's clock
  Lsn last_lsn =
      0;  // of the last record that changed it; 0 once that is known durable from before a restart
  uint32_t pay_window_ms = 0;
  uint32_t holding = kNone;
  uint32_t key_cell = kNone;
  uint32_t first_payment = kNone;
  uint32_t next_by_id = kNone, next_by_key = kNone;
  uint32_t newer = kNone, older = kNone;          // orders of the same user for the same item
  uint32_t next_open = kNone, prev_open = kNone;  // reserved orders of the same user, all items
  uint16_t quantity = 0;
  uint8_t key_bytes = 0;
  OrderState state = OrderState::reserved;
  Currency currency{};
  bool is_live = false;  // false: the cell is free

  int64_t pay_before_ms() const { return created_ms + pay_window_ms; }
  TextRef key() const { return {.cell = key_cell, .size = key_bytes}; }
  bool holds_units() const { return state == OrderState::reserved || state == OrderState::paid; }
};
static_assert(sizeof(Order) == 96);
static_assert(bounds::quantity_max <= UINT16_MAX);
static_assert(bounds::pay_window_s_max * 1000 <= UINT32_MAX);

// What one user has to do with all items: the limits on unpaid reservations are kept here (desk.h). It lives as long as an
// order of the user is in memory, and follows from these orders alone, so it is the same behind a restart, from a snapshot
// or on another shard; only last_lapse_ms may remember a reservation that was paid late.
struct User {
  uint64_t hash = 0;
  int64_t last_lapse_ms = 0;  // wall clock: latest end of a reservation that expired
  TextRef name;
  uint32_t orders = 0;
  uint32_t open = 0;    // of them: reserved
  uint32_t lapsed = 0;  // expired
  uint32_t paid = 0;
  uint32_t first_open = kNone;  // newest reserved order
  uint32_t next = kNone;
  // The desk's note: when fewer than a limit are open and no pause runs of a lapse still to come; 0: none is in the way. The key
  // has the limit and the pay window of the pauses; 0: not known since the last change.
  uint32_t room_key = 0;  // limit:10 | seconds:22
  int64_t room_boot_ns = 0;
};
static_assert(sizeof(User) <= 64);
static_assert(bounds::open_per_user_max < 1u << 10 && bounds::pay_window_s_max < 1 << 22);

// What one user has to do with one item: the purchase limit is kept here, and the list of the user's orders begins here.
struct Holding {
  uint32_t owner = kNone;  // the user
  ItemId item = kNoItem;
  uint32_t units = 0;  // reserved or paid
  uint32_t orders = 0;
  uint32_t newest = kNone;
  uint32_t active_from = kNone;  // no order newer than this one holds units
  uint32_t next = kNone;
};

// One payment that was decided, in the chain of its order.
struct DecidedPayment {
  uint32_t next = kNone;
  orderlog::RecordType outcome = orderlog::RecordType::paid;
  Currency currency{};
  TextRef id;
  Money amount = 0;
  int64_t received_ms = 0;
};

// Shard 0's log alone also carries the items themselves and the operators' changes.
struct RegisteredItem {
  ItemTerms terms;
  Units supplied = 0;
  Units withdrawn = 0;
  Units total() const { return supplied - withdrawn; }
};

// Keyed hashes of an order's user and key, so that each is hashed once a request.
struct OrderHashes {
  uint64_t user = 0;
  uint64_t key = 0;  // 0 without a key
};

class StreamState {
 public:
  StreamState(const HashKey& key, uint32_t orders_max);

  // Applies a record; an Error says which value is impossible or why it cannot follow what came before (then nothing was
  // changed). Safe for records of any origin: whatever they say, the state stays one that its own rules allow.
  // `at` is the moment of the record's batch; a boot time of 0 means an earlier boot, whose clock says nothing now.
  [[nodiscard]] Status apply(const orderlog::Record& record, Lsn lsn, Moment at);
  // The same for a reservation whose hashes are known: those of record.user and record.key.
  [[nodiscard]] Status apply(const orderlog::Reserve& record, OrderHashes hashes, Lsn lsn,
                             Moment at);

  // Orders, by index; kNone when there is none.
  uint32_t find_order(OrderId id) const;
  uint32_t find_by_key(OrderHashes hashes, std::string_view user, std::string_view key) const;
  uint32_t find_holding(uint64_t user_hash, std::string_view user, ItemId item) const;
  uint32_t find_user(uint64_t user_hash, std::string_view user) const;
  // Look-ups of this user and item, this key or this order are to come: what they begin with is brought into the cache.
  void prefetch(uint64_t user_hash, ItemId item) const;
  void prefetch_key(OrderHashes hashes) const;
  void prefetch(OrderId id) const;
  // A while behind that: what they go on with.
  void prefetch_cells(uint64_t user_hash, ItemId item) const;
  void prefetch_cells(OrderId id) const;
  uint32_t find_payment(uint32_t order, std::string_view payment_id) const;

  const Order& order(uint32_t index) const { return orders_[index]; }
  Order& order(uint32_t index) { return orders_[index]; }
  const Holding& holding(uint32_t index) const { return holdings_[index]; }
  // The newest order that holds units; kNone: none does. It is looked for here, where it is shown, and what was found is
  // remembered: a change of an order walks past no others.
  uint32_t newest_active(uint32_t holding);
  const User& user(uint32_t index) const { return users_[index]; }
  User& user(uint32_t index) { return users_[index]; }
  uint32_t users() const { return users_.used(); }
  const DecidedPayment& payment(uint32_t index) const { return payments_[index]; }
  std::string_view text(TextRef ref) const { return texts_.view(ref); }
  std::string_view user_of(const Order& order) const {
    return texts_.view(users_[holdings_[order.holding].owner].name);
  }
  ItemId item_of(const Order& order) const { return holdings_[order.holding].item; }
  OrderView view(uint32_t index) const;

  // Cells below this index may hold orders (is_live tells); for walks over all of them.
  uint32_t orders_touched() const { return orders_.touched(); }
  uint32_t orders_live() const { return orders_.used(); }
  uint32_t orders_max() const { return orders_max_; }
  bool has_room_for_order() const { return orders_.used() < orders_max_; }
  // A record did not fit: not damage, but a bound that is lower than when it was written.
  bool has_overflowed() const { return has_overflowed_; }
  bool has_room_for_payment() const { return !payments_.is_full(); }
  // Bytes of the records that a snapshot would have of the orders and their payments: what it costs to write one.
  uint64_t image_bytes() const { return image_bytes_; }

  // Items this stream has had to do with; an id at or beyond the end has all counters zero.
  const std::vector<ItemStock>& stocks() const { return stocks_; }
  const ItemStock& stock(ItemId item) const;

  // Shard 0 only.
  const std::vector<RegisteredItem>& items() const { return items_; }
  // An operation that was applied under an op_id: the item and the words of its record. Without them, it was in a snapshot of
  // a version that kept no more than the op_id.
  struct AppliedOp {
    ItemId item = kNoItem;
    std::string what;
  };
  using AppliedOps = std::unordered_map<std::string, AppliedOp>;
  const AppliedOp* find_op(std::string_view op_id) const {
    const auto found = ops_.find(std::string(op_id));
    return found == ops_.end() ? nullptr : &found->second;
  }
  const AppliedOps& ops() const { return ops_; }

  // What operators have said of users (false) and networks (true), in the order of their spelling: blocked or exempt.
  using BlockWords = std::map<std::pair<bool, std::string>, orderlog::BlockWord>;
  const BlockWords& block_words() const { return block_words_; }

  // The ledger's epoch that this stream has promised last: no grant of an earlier one is accepted.
  uint64_t promised_epoch() const { return promised_epoch_; }

  uint64_t sequence_max() const { return sequence_max_; }
  // Sequence numbers below were given, perhaps to orders that are forgotten.
  void raise_sequence(uint64_t sequence) { sequence_max_ = std::max(sequence_max_, sequence); }
  Lsn last_lsn() const { return last_lsn_; }
  uint64_t user_hash(std::string_view user) const { return keyed_hash(key_, user); }
  uint64_t key_hash(std::string_view key) const { return key.empty() ? 0 : keyed_hash(key_, key); }

 private:
  Status apply_one(const orderlog::Item& record, Lsn lsn, Moment at);
  Status apply_one(const orderlog::Supply& record, Lsn lsn, Moment at);
  Status apply_one(const orderlog::Grant& record, Lsn lsn, Moment at);
  Status apply_one(const orderlog::GiveBack& record, Lsn lsn, Moment at);
  Status apply_one(const orderlog::Admin& record, Lsn lsn, Moment at);
  Status apply_one(const orderlog::Epoch& record, Lsn lsn, Moment at);
  Status apply_one(const orderlog::SequenceFloor& record, Lsn lsn, Moment at);
  Status apply_one(const orderlog::Block& record, Lsn lsn, Moment at);
  Status apply_one(const orderlog::Reserve& record, Lsn lsn, Moment at);
  Status apply_one(const orderlog::Payment& record, Lsn lsn, Moment at);
  Status apply_one(const orderlog::Cancel& record, Lsn lsn, Moment at);
  Status apply_one(const orderlog::Expire& record, Lsn lsn, Moment at);
  Status apply_one(const orderlog::Forget& record, Lsn lsn, Moment at);
  Status apply_one(const orderlog::Recovery& record, Lsn lsn, Moment at);
  Status apply_one(const orderlog::SegmentEnd& record, Lsn lsn, Moment at);
  Status apply_one(const orderlog::OrderImage& record, Lsn lsn, Moment at);
  Status apply_one(const orderlog::PaymentImage& record, Lsn lsn, Moment at);
  Status apply_one(const orderlog::SoldImage& record, Lsn lsn, Moment at);

  bool is_known(OrderId id) const;
  bool is_user(uint32_t index, uint64_t user_hash, std::string_view user) const;
  Status refuse_overflow(OrderId id);
  ItemStock& stock_for(ItemId item);
  OrderHashes hashes_of(const orderlog::Reserve& record) const;
  Status reserve(const orderlog::Reserve& record, OrderHashes hashes, Lsn lsn, Moment at);
  uint32_t insert_order(const orderlog::Reserve& record, OrderHashes hashes, Lsn lsn);
  uint32_t holding_for(uint64_t user_hash, std::string_view user, ItemId item);
  uint32_t user_for(uint64_t user_hash, std::string_view user);
  User& owner_of(uint32_t order_index) {
    return users_[holdings_[orders_[order_index].holding].owner];
  }
  void attach(uint32_t order_index);
  void detach(uint32_t order_index);
  void set_state(uint32_t order_index, OrderState state);
  void count_in(uint32_t order_index);
  void count_out(uint32_t order_index);
  void set_inactive(uint32_t order_index, OrderState state);
  void set_active(uint32_t order_index, OrderState state);
  void add_payment(uint32_t order_index, const orderlog::Payment& record);
  Status release_reserved(OrderId id, OrderState state, Lsn lsn);

  HashKey key_;
  uint32_t orders_max_;
  Slab<Order> orders_;
  Slab<Holding> holdings_;
  Slab<User> users_;
  Slab<DecidedPayment> payments_;
  TextArena texts_;
  Buckets by_id_;
  Buckets by_key_;
  Buckets by_holding_;
  Buckets by_user_;
  std::vector<ItemStock> stocks_;
  std::vector<RegisteredItem> items_;
  std::unordered_set<std::string> codes_;  // of items_
  AppliedOps ops_;                         // by op_id
  BlockWords block_words_;
  uint64_t image_bytes_ = 0;
  uint64_t promised_epoch_ = 0;
  uint64_t sequence_max_ = 0;
  Lsn last_lsn_ = 0;
  bool has_overflowed_ = false;
};

}  // namespace stampede::stock
