// The desk: decides every request about orders of one shard. Pure: no system call, no clock, no thread of its own.
//
// A decision is a record appended to the journal and applied to the stream's state (stream_state.h), then an answer that
// the desk holds back until the record is durable. Nothing is decided twice: what a record says stands.
//
// The path of a create, top to bottom in desk.cc: seen this key before? → at the purchase limit? → does its address ask too
// often? → is the sale open? → has the door another objection? → are new orders taken of this user? → the limits of the
// user → the rates of the item and the sale → is there room? → units in the pool? Take them; otherwise wait in the item's
// line until the ledger grants more, says that none are left, or 100 ms have passed. A request that waited is decided from the top again when its turn comes,
// so two copies of one request cannot both win, and the second one learns the first one's order.
//
// A limit stands behind whatever shows an order that the user has already, so a winner who asks again is never refused by
// one; payments, cancels and reads do not come near it. Each refusal says when to ask again: where that can be known,
// the earliest moment at which the request would pass that limit. A request counts once, when it first comes so far: not
// again behind its wait in the line. An item that is gone is gone whatever its rate: sold_out is said then, and the ledger is asked as if there were no rate.
//
// Units come from the ledger in batches: leases.h has them, and answers whether an order's units are here, are certainly
// gone, or may still come.
//
//   received ──handle()──▶ decided ──journal──▶ held until durable ──release()──▶ AnswerSink
//                │ no units  ▲
//                ▼           │
//            item's line ────┘ take_news() from the ledger
#pragma once

#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/reserved.h"
#include "base/ring.h"
#include "order.h"
#include "orderlog/record.h"
#include "stock/catalog.h"
#include "stock/item_figures.h"
#include "stock/journal.h"
#include "stock/leases.h"
#include "stock/lines.h"
#include "stock/order_limits.h"
#include "stock/order_rates.h"
#include "stock/steady_wall.h"
#include "stock/stream_state.h"
#include "stock/timer_wheel.h"
#include "stock/user_windows.h"

namespace stampede::stock {

// Where answers go once they may leave.
class AnswerSink {
 public:
  virtual ~AnswerSink() = default;
  virtual void deliver(const OrderAnswer& answer) = 0;
};

struct DeskSettings {
  uint32_t node = 0;
  uint32_t shard = 0;
  uint32_t shard_count = 1;
  uint32_t group_count = 1;  // of the ledger
  Units lease_max = 256;
  uint32_t orders_max = UINT32_MAX;      // in memory; then new ones are refused
  uint32_t answers_held_max = 1u << 17;  // requests inside the desk that have no answer yet
  int64_t retain_ms = 24LL * 3600 * 1000;
};

struct DeskStats {
  uint64_t orders_expired = 0;
  uint64_t orders_forgotten = 0;
  uint64_t waits = 0;  // requests that had to wait for units
  uint64_t waits_timed_out = 0;
  uint64_t waits_refused = 0;  // the line was full
  // Long polls that were answered at once, because as many wait as may, in all or for the order.
  uint64_t watches_refused = 0;
  // Payments that were decided, by outcome.
  uint64_t paid = 0;
  uint64_t late_paid = 0;          // units were taken again
  uint64_t refund_due = 0;         // they could not be, or it was not the first one
  uint64_t payments_rejected = 0;  // the wrong amount or currency
  uint64_t payments_failed = 0;    // the provider said so
};

class Desk final {
 public:
  // The references must outlive the desk. `sequence_max`: the highest sequence number of any stream of this node.
  Desk(const DeskSettings& settings, StreamState& state, const Catalog& catalog, Journal& journal,
       AnswerSink& answers, OrderRates& rates, uint64_t sequence_max, Moment now);

  // What new orders are held to from now on.
  void set_limits(const OrderLimits& limits) { limits_ = limits; }

  // This request will be handed over soon: the memory that it needs is asked for; and again, when the first of it is there.
  void expect(const OrderRequest& request) const;
  void approach(const OrderRequest& request) const;
  // Decides a request now, or lets it wait; the answer comes through the sink, perhaps within this call.
  void handle(const OrderRequest& request, Moment now);

  // Expires what is due, gives up on requests that waited too long, returns idle pools, forgets what nobody may read any
  // more; each with a budget. Once per turn.
  void pass_time(Moment now);

  // Takes what the ledger says of an item, and decides the requests that waited for it.
  void take_news(const LedgerNews& news, Moment now);
  using Glance = Leases::Glance;
  Leases& leases() { return leases_; }
  const Leases& leases() const { return leases_; }
  // An item is new here or has new terms.
  void on_new_terms(ItemId item) { leases_.ask_about(item); }

  // Lets every answer go whose records are durable.
  void release(Lsn durable);

  // Why new orders are refused, from outside (drainer far behind, operator, stopping); Verdict::ok: they are not.
  void refuse_new_orders(Verdict why);
  Verdict refusal() const { return refusal_; }
  // Orders up to this record are in the database (or there is none): only those may be forgotten.
  void set_drained(Lsn drained) { drained_ = drained; }

  // Stopping: every waiting request is told so and every unsold unit is given back. True when nothing is left to do.
  bool wind_up();

  // The moment before which pass_time() has nothing to do.
  int64_t quiet_until_ns() const;
  bool is_idle() const { return held_.empty() && lines_.size() == 0; }
  const DeskStats& stats() const { return stats_; }
  [[nodiscard]] ItemFigures figures(ItemId item) const;
  // An item with these terms: its end, the pay window and the retention have passed.
  [[nodiscard]] bool is_over_retention(const SaleTerms& terms, Moment now) const;
  const StreamState& state() const { return state_; }
  uint32_t waiting() const { return lines_.size(); }
  uint32_t held() const { return held_.size(); }
  uint32_t watchers() const { return watchers_.used(); }
  uint64_t user_counts_forgotten() const { return user_windows_.forgotten(); }

 private:
  struct Held {
    Lsn lsn;
    OrderAnswer answer;
  };
  // Knows its order by id: the cell of an order that was forgotten is another user's next.
  struct Watcher {
    OrderId order;
    uint32_t next;
    ReplyTo reply_to;
    int64_t until_boot_ns;
  };
  // A limit that is reached, and how long until the request would pass it.
  struct Reached {
    Limit limit = Limit::none;
    int64_t wait_ns = 0;
  };
  using MaybeReached = std::optional<Reached>;

  void create(const OrderRequest& request, Moment now, bool has_waited);
  bool answer_known_key(const OrderRequest& request, OrderHashes hashes);
  bool answer_limits_of_holding(const OrderRequest& request, const SaleTerms& terms);
  bool answer_purchase_limit(const OrderRequest& request, const SaleTerms& terms, uint32_t holding);
  bool answer_order_count(const OrderRequest& request, uint32_t holding);
  Verdict sale_verdict(const SaleTerms& terms, Moment now) const;
  bool takes_orders_of(const OrderRequest& request) const;
  void count_link(const OrderRequest& request, Moment now);
  MaybeReached reach_user_rate(const OrderRequest& request, Moment now, bool has_waited);
  MaybeReached reach_open_limit(const OrderRequest& request, const SaleTerms& terms, Moment now);
  MaybeReached reach_order_rate(const OrderRequest& request, const SaleTerms& terms, Moment now,
                                bool has_waited);
  int64_t pause_left_ns(const User& user, const SaleTerms& terms, Moment now) const;
  int64_t passes_boot_ns(User& user, const SaleTerms& terms, int64_t pause_ends_boot_ns);
  uint32_t order_rate() const;
  Reached next_token(ItemId item, const SaleTerms& terms, Moment now);
  Reached spread_out(Reached reached, const OrderRequest& request, const SaleTerms& terms,
                     Moment now);
  Reached lost_token(const OrderRequest& request, const SaleTerms& terms, Moment now);
  Verdict room_verdict() const;
  Verdict no_room_verdict() const;
  void reserve(const OrderRequest& request, OrderHashes hashes, const SaleTerms& terms, Moment now);
  void read(const OrderRequest& request, Moment now);
  void list(const OrderRequest& request);
  void cancel(const OrderRequest& request, Moment now);
  void pay(const OrderRequest& request, Moment now, std::optional<int64_t> waits_since_boot_ns);
  void pay_late(const OrderRequest& request, uint32_t index, Moment now,
                std::optional<int64_t> waits_since_boot_ns);
  void decide_payment(const OrderRequest& request, uint32_t index, orderlog::RecordType outcome,
                      Moment now);
  void count_payment(orderlog::RecordType outcome);

  Leases::Supply supply_of(ItemId item, Quantity quantity, Moment now, bool has_waited) const;
  void refuse_for_lack_of_units(const OrderRequest& request, Moment now);
  void wait_for_units(const OrderRequest& request, Moment now);
  void serve_line(ItemId item, Moment now);
  Leases::Supply supply_of_head(ItemId item, Moment now) const;
  int64_t patience_ends_boot_ns(ItemId item) const;
  void give_up_waiting(Moment now);
  OrderRequest leave_line(ItemId item);
  void note_line(ItemId item);
  void after_units_came_back(ItemId item, Moment now);
  void expire_due(Moment now);
  void forget_some(Moment now);
  bool may_forget(uint32_t index, Moment now) const;

  Lsn commit(const orderlog::Record& record, Moment now);
  void refuse(const OrderRequest& request, Verdict verdict);
  void refuse(const OrderRequest& request, const Reached& reached);
  void answer_with_order(const OrderRequest& request, Verdict verdict, uint32_t index);
  OrderAnswer answer_to(const OrderRequest& request, Verdict verdict) const;
  void emit(const OrderAnswer& answer, Lsn lsn);
  bool has_room_to_watch(OrderId order, Moment now);
  void tell_watchers(uint32_t index, Moment now);
  void drop_stale_watchers(Moment now);
  void drop_watcher(uint32_t watcher);
  bool is_callers(const OrderRequest& request, uint32_t index) const;
  bool has_place_for_answer() const;

  DeskSettings settings_;
  StreamState& state_;
  const Catalog& catalog_;
  Journal& journal_;
  AnswerSink& answers_;
  TimerWheel wheel_;
  uint64_t sequence_;
  Lsn durable_ = 0;
  Lsn drained_ = 0;
  Verdict refusal_ = Verdict::ok;

  OrderLimits limits_;
  OrderRates& rates_;
  UserWindows user_windows_;
  std::vector<int64_t> deadlines_;  // of one user's reservations, while they are looked at

  Leases leases_;
  Lines lines_;
  Ring<Held> held_;
  Slab<Watcher> watchers_;
  Buckets watchers_by_order_;
  uint32_t watcher_cursor_ = 0;
  int64_t next_watcher_sweep_ns_ = 0;
  uint32_t forget_cursor_ = 0;
  int64_t next_forget_ns_ = 0;
  SteadyWall wall_;  // forgetting is for good
  DeskStats stats_;
  Reserved<ItemEvents> events_{bounds::item_count_max};
};

}  // namespace stampede::stock
