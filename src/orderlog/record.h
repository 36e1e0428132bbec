// The records of the order log: everything that can happen to stock and orders, each as a plain
// value.
//
// State follows from the records and from nothing else: a shard decides, appends a record and applies it;
// recovery, snapshots and tools apply the same records in the same order. So a record holds all
// that its effect needs (a reservation keeps its price, also when the catalog changes later).
//
// Texts are views: into the request when a record is made, into the log's bytes when it is read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <variant>

#include "order.h"

namespace stampede::orderlog {

// The numbers are the format: never reused. Snapshots hold the *_image records and item, supply,
// grant, give_back, epoch, admin, block.
enum class RecordType : uint16_t {
  item = 1,
  supply = 2,
  grant = 3,
  give_back = 4,
  admin = 5,
  epoch = 6,
  sequence_floor = 7,
  item_more = 8,  // an item with terms that 0.1.0 did not know at first; others stay `item`
  block = 9,
  reserve = 10,
  paid = 11,
  late_paid = 12,
  refund_due = 13,
  payment_rejected = 14,
  cancel = 15,
  expire = 16,
  forget = 17,
  recovery = 30,
  segment_end = 31,
  order_image = 40,
  payment_image = 41,
  sold_image = 42,
};

// Item terms as of now; a later record replaces an earlier one. Only in shard 0's log.
struct Item {
  ItemId item = kNoItem;
  std::string_view code;
  std::string_view title;
  Money price = 0;
  Currency currency{};
  Quantity per_user_limit = 0;  // 0: none
  int64_t starts_ms = 0;        // wall clock; 0: open from the start
  int64_t ends_ms = 0;          // wall clock; 0: no end
  int64_t pay_window_s = 0;
  bool is_paused = false;
  bool is_ended = false;
  bool has_hidden_link = false;
  // Of the catalog's entry when it was last applied: a start takes over an entry that has changed since, and otherwise
  // keeps the operators' changes.
  uint64_t catalog_sum = 0;
  // When any of these is set, the record is stored as item_more.
  uint32_t order_rate = 0;    // new reservations a second; 0: no limit
  bool has_proof = false;     // the link is given only with a proof
  std::string_view product;   // the product behind an opaque code; empty: the code is not opaque
  std::string_view enrolled;  // file of the users that may buy; empty: all may
};

// Units ever supplied and ever withdrawn, absolute; total = supplied − withdrawn. Only in shard 0's
// log.
struct Supply {
  ItemId item = kNoItem;
  Units supplied = 0;
  Units withdrawn = 0;
};

// Units this stream ever accepted from the ledger (A), absolute.
struct Grant {
  ItemId item = kNoItem;
  Units accepted = 0;
};

// Units this stream ever gave back to the ledger (R), absolute. RETURN in the ledger's protocol.
struct GiveBack {
  ItemId item = kNoItem;
  Units returned = 0;
};

// A promise to a ledger that is shared with other nodes: from here on this stream accepts no grant of an epoch before this
// one. It must be durable before the node joins the epoch.
struct Epoch {
  uint64_t epoch = 0;
};

// Numbers of orders up to this one may have been given to orders that the log has lost: none of them is given again. It
// is in the log before the first order after the loss.
struct SequenceFloor {
  uint64_t sequence = 0;
};

// An operator's change, for the record: the operator, the change, and when; `op_id` makes it happen once. Only in
// shard 0's log.
struct Admin {
  int64_t at_ms = 0;
  ItemId item = kNoItem;
  std::string_view op_id;  // may be empty
  std::string_view who;
  std::string_view what;
};

// An operator's word about a user or a network, beside the list that a start is given: a later record replaces an earlier one
// about the same. Only in shard 0's log.
enum class BlockWord : uint8_t {
  none,     // nothing any more: the list alone decides
  blocked,  // also without a line in the list
  exempt,   // also with a line in the list
};
struct Block {
  bool is_network = false;
  BlockWord word = BlockWord::none;
  std::string_view subject;  // a user's id, or a network in its one spelling (door/network.h)
};

struct Reserve {
  OrderId order;
  ItemId item = kNoItem;
  Quantity quantity = 0;
  Money amount = 0;
  Currency currency{};
  int64_t created_ms = 0;     // wall clock
  int64_t pay_before_ms = 0;  // wall clock
  uint64_t body_hash = 0;
  std::string_view user;
  std::string_view key;  // Idempotency-Key; may be empty
};

// One decided payment. The outcome is the record's type:
//   paid              reserved → paid
//   late_paid         expired → paid, with units taken again from the pool
//   refund_due        the money must go back: `amount` is added to the order's refund_due;
//                     its state stays
//   payment_rejected  wrong amount or currency: the money is in payments as due back;
//                     the order does not change
struct Payment {
  RecordType outcome = RecordType::paid;
  OrderId order;
  Money amount = 0;
  Currency currency{};
  int64_t received_ms = 0;
  std::string_view payment_id;
};

struct Cancel {
  OrderId order;
  int64_t at_ms = 0;
};

struct Expire {
  OrderId order;
  int64_t at_ms = 0;
};

// The order, its key and its payments leave memory: their time to be read is over.
struct Forget {
  OrderId order;
};

// Recovery cut an unacknowledged tail: its bytes are kept beside the segment.
struct Recovery {
  uint64_t truncated_batch = 0;
  uint64_t truncated_offset = 0;
};

// The segment is full; the stream goes on in the next one.
struct SegmentEnd {
  uint32_t next_segment = 0;
};

// Snapshot only: an order with everything that happened to it; its payments follow as images.
struct OrderImage {
  Reserve reserve;
  OrderState state = OrderState::reserved;
  Money refund_due = 0;
  Lsn last_lsn = 0;
  int64_t deadline_boot_ns = 0;  // valid in the boot that the snapshot names
};

struct PaymentImage {
  Payment payment;
};

// Snapshot only: paid units whose orders were forgotten; they stay sold.
struct SoldImage {
  ItemId item = kNoItem;
  Units units = 0;
};

using Record = std::variant<Item, Supply, Grant, GiveBack, Admin, Epoch, SequenceFloor, Block,
                            Reserve, Payment, Cancel, Expire, Forget, Recovery, SegmentEnd,
                            OrderImage, PaymentImage, SoldImage>;

[[nodiscard]] RecordType type_of(const Record& record);
[[nodiscard]] std::string_view name_of(RecordType type);

// Bytes of a record: u16 type, u16 flags (0), u32 length of the whole record, payload
// little-endian, zeros up to a multiple of 8. At most bounds::record_bytes_max.
[[nodiscard]] size_t encoded_bytes(const Record& record);
// Writes exactly encoded_bytes(record) bytes; `out` must have room for them.
size_t encode(const Record& record, std::span<std::byte> out);
// Reads the record at the start of `in`; nullopt when the bytes are no record. Views point into
// `in`.
struct Decoded {
  Record record;
  size_t bytes = 0;  // consumed
};
[[nodiscard]] std::optional<Decoded> decode(std::span<const std::byte> in);

}  // namespace stampede::orderlog
