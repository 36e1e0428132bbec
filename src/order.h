// The vocabulary: what every layer means by an order, an item, a user and an answer. Plain values without behaviour,
// so that they can cross between shards.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string_view>

#include "base/text.h"
#include "bounds.h"

namespace stampede {

using ItemId = uint32_t;    // dense, given by shard 0 when an item becomes known; never reused
using Quantity = uint32_t;  // units of one order, 1 … bounds::quantity_max
using Units = uint64_t;  // units of stock, up to bounds::stock_max; cumulative counters only grow
using Money = int64_t;   // minor units (cents, fen)
using Lsn = uint64_t;    // number of a record in one shard's order log, from 1; 0 is "none"
using Currency = std::array<char, 3>;  // ISO 4217
using UserText = Text<bounds::user_bytes_max>;
using KeyText =
    Text<bounds::stored_key_bytes_max>;  // of an Idempotency-Key, see http/idempotency_key.h
using PaymentText = Text<bounds::payment_id_bytes_max>;

constexpr ItemId kNoItem = UINT32_MAX;

// order_id = node:10 | seq:40 | slot:14. The slot finds the home shard, whatever the number of shards; the sequence
// number rises with time, so ids arrive at the database nearly sorted.
struct OrderId {
  uint64_t value = 0;  // 0 is no order: sequence numbers start at 1

  static constexpr OrderId make(uint32_t node, uint64_t sequence, uint32_t slot) {
    return {(uint64_t{node} << 54) | (sequence << 14) | slot};
  }
  constexpr uint32_t node() const { return static_cast<uint32_t>(value >> 54); }
  constexpr uint64_t sequence() const { return (value >> 14) & ((uint64_t{1} << 40) - 1); }
  constexpr uint32_t slot() const { return value & (bounds::slot_count - 1); }
  friend constexpr auto operator<=>(OrderId, OrderId) = default;
};

// A user's slot comes from the keyed hash of the id; slots are dealt out to the shards in turn.
constexpr uint32_t slot_of(uint64_t user_hash) {
  return user_hash & (bounds::slot_count - 1);
}
constexpr uint32_t shard_of_slot(uint32_t slot, uint32_t shard_count) {
  return slot % shard_count;
}

enum class OrderState : uint8_t { reserved, paid, cancelled, expired };
[[nodiscard]] constexpr std::string_view name_of(OrderState state) {
  constexpr std::string_view names[] = {"reserved", "paid", "cancelled", "expired"};
  return names[static_cast<unsigned>(state)];
}

// What a client is told. Refusals are in the order of their status codes.
enum class Verdict : uint8_t {
  created,   // 201, with the order
  ok,        // 200, with the order
  replayed,  // 200, with the order and "replayed":true
  bad_request,
  unauthenticated,
  bad_link,
  bad_proof,
  not_enrolled,
  not_started,  // starts_at_ms
  blocked,
  forbidden,  // operators' listener: of a foreign host or origin
  unknown_item,
  unknown_order,
  not_found,
  method_not_allowed,
  request_timeout,
  sold_out,
  not_enough,     // available
  limit_reached,  // with the order that the user holds, if he holds one
  already_paid,   // with the order
  not_payable,
  sale_ended,
  length_required,
  body_too_large,
  uri_too_long,
  unsupported_media_type,
  expectation_failed,
  misdirected,  // node
  key_reused,
  rate_limited,  // limit
  headers_too_large,
  not_implemented,
  try_again,
  overloaded,
  ledger_unavailable,
  sale_paused,
  shutting_down,
  version_not_supported,
};
constexpr unsigned kVerdictCount = static_cast<unsigned>(Verdict::version_not_supported) + 1;

// Which limit a rate_limited is about.
enum class Limit : uint8_t { none, user, open, address, item, sale };
constexpr unsigned kLimitCount = static_cast<unsigned>(Limit::sale) + 1;
[[nodiscard]] constexpr std::string_view name_of(Limit limit) {
  constexpr std::string_view names[kLimitCount] = {"", "user", "open", "address", "item", "sale"};
  return names[static_cast<unsigned>(limit)];
}

// One order as a client may see it.
struct OrderView {
  OrderId id;
  ItemId item = kNoItem;
  Quantity quantity = 0;
  OrderState state = OrderState::reserved;
  Currency currency{};
  Money amount = 0;
  Money refund_due = 0;
  int64_t created_ms = 0;     // wall clock, since 1970 UTC
  int64_t pay_before_ms = 0;  // wall clock
  UserText user;
};

enum class PaymentStatus : uint8_t { succeeded, failed };

// Where an answer goes: a place in the line of a connection's unanswered requests. `serial` is counted up whenever the
// place is given to another request, so that no answer reaches the wrong one.
struct ReplyTo {
  uint16_t shard = 0;
  uint32_t place = 0;
  uint32_t serial = 0;
};

enum class RequestKind : uint8_t { create, link, read, watch, list, cancel, pay };
// Decided at the home shard of the user; all others at that of the order.
[[nodiscard]] constexpr bool is_by_user(RequestKind kind) {
  return kind == RequestKind::create || kind == RequestKind::link || kind == RequestKind::list;
}

// What the shard that parsed a request asks of the home shard of the user (create, link, list) or of the order (the rest).
struct OrderRequest {
  RequestKind kind = RequestKind::create;
  ReplyTo reply_to;
  int64_t received_boot_ns = 0;  // for stage latencies
  uint64_t user_hash = 0;        // keyed hash of `user`
  uint64_t key_hash = 0;         // of `key`; 0 without one
  ItemId item = kNoItem;         // create, link, list
  Quantity quantity = 0;         // create
  OrderId order;  // read, watch, cancel, pay; list: orders below this one (0: from the newest)
  // create: what the door has against it (blocked, not_enrolled, bad_link, rate_limited). The home shard gives this refusal behind the
  // answers for a repeated key and for the purchase limit; rate_limited (an address over its rate) before the state of the sale is
  // looked at, the others behind it.
  Verdict objection = Verdict::ok;
  Limit objection_limit = Limit::none;  // of an objection that is rate_limited
  uint32_t objection_retry_ms = 0;      // 0: waiting does not help
  uint32_t wait_ms = 0;                 // watch: how long its client waits at most
  Money amount = 0;                     // pay
  Currency currency{};                  // pay
  PaymentStatus payment_status = PaymentStatus::succeeded;
  UserText user;        // everything but pay
  KeyText key;          // create; empty: none
  PaymentText payment;  // pay
};

struct OrderAnswer {
  ReplyTo reply_to;
  RequestKind kind = RequestKind::create;  // of the request
  Verdict verdict = Verdict::try_again;
  bool has_order = false;
  bool is_watching =
      false;  // watch: nothing to tell yet; a second answer follows when the state changes
  bool is_notice = false;       // that second answer; it was not asked for with a credit
  bool has_more = false;        // list: older orders follow
  Limit limit = Limit::none;    // rate_limited
  uint16_t node = 0;            // misdirected
  int64_t starts_at_ms = 0;     // not_started
  uint64_t available = 0;       // not_enough
  uint32_t retry_after_ms = 0;  // 0: waiting does not help
  int64_t received_boot_ns = 0;
  int64_t reserved_boot_ns = 0;  // created
  OrderView order;               // create, link: always its item; link: only that and its user
};

}  // namespace stampede
