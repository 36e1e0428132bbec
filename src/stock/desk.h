// The desk: decides every request about orders of one shard. Pure: no system call, no clock, no thread of its own.
//
// A decision is a record appended to the journal and applied to the stream's state (stream_state.h), then an answer that
// the desk holds back until the record is durable. Nothing is decided twice: what a record says stands.
//
// The path of a create, top to bottom in desk.cc: seen this key before? → at the purchase limit? → is the sale open? →
// is there room? → units in the pool? Take them; otherwise wait in the item's line until the ledger grants more, says
// that none are left, or 100 ms have passed. A request that waited is decided from the top again when its turn comes,
// so two copies of one request cannot both win, and the second one learns the first one's order.
//
// Units come from the ledger in batches (a lease): ahead of demand while stock is plenty, exactly the waiting demand when
// it is scarce, and back after 50 ms without demand. `sold_out` needs news from the ledger, at most 100 ms old, that no
// unit is free and none is held unsold anywhere.
//
//   received ──handle()──▶ decided ──journal──▶ held until durable ──release()──▶ AnswerSink
//                 │ no units                         ▲
//                 ▼                                  │
//            item's line ◀──take_news()── ledger ◀──asks()┘
#pragma once

#include <span>
#include <vector>

#include "base/clock.h"
#include "base/ring.h"
#include "ledger/messages.h"
#include "order.h"
#include "orderlog/record.h"
#include "stock/catalog.h"
#include "stock/steady_wall.h"
#include "stock/stream_state.h"
#include "stock/timer_wheel.h"

namespace stampede::stock {

// Where the desk's records go: the shard's order log.
class Journal {
 public:
  virtual ~Journal() = default;
  virtual Lsn append(const orderlog::Record& record) = 0;
  virtual bool has_room_for_order() const = 0;  // new reservations
  virtual bool has_room_for_change()
      const = 0;  // payments, cancels, expiries, returns: a reserve is kept for them
};

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
  uint64_t leases = 0;  // grants accepted
  uint64_t units_leased = 0;
  uint64_t units_returned = 0;
  uint64_t orders_expired = 0;
  uint64_t orders_forgotten = 0;
  uint64_t waits = 0;  // requests that had to wait for units
  uint64_t waits_timed_out = 0;
};

class Desk final {
 public:
  // The references must outlive the desk. `sequence_max`: the highest sequence number of any stream of this node.
  Desk(const DeskSettings& settings, StreamState& state, const Catalog& catalog, Journal& journal,
       AnswerSink& answers, uint64_t sequence_max, Moment now);

  // Decides a request now, or lets it wait; the answer comes through the sink, perhaps within this call.
  void handle(const OrderRequest& request, Moment now);

  // Expires what is due, gives up on requests that waited too long, returns idle pools, forgets what nobody may read any
  // more; each with a budget. Once per turn.
  void pass_time(Moment now);

  // Fills `asks` with what the ledger must hear of items of these groups, group by group; the count. Only of groups whose
  // last exchange has been answered.
  size_t collect_asks(uint32_t groups, std::span<LedgerAsk> asks, Moment now);
  void take_news(const LedgerNews& news, Moment now);
  StreamCount count(ItemId item) const;
  // What of it the disk has: returns that are not durable count as the stream's still.
  StreamCount durable_count(ItemId item) const;
  // A shared ledger's exchanges begin (again): every item of the groups is asked about, for what was granted last may not
  // have arrived.
  void begin_epoch(uint32_t groups, uint32_t stream_count);
  // What a buyer may be told of the stock: at most a second old, or nothing yet.
  struct Glance {
    Units available = 0;
    bool is_known = false;
  };
  Glance glance(ItemId item, Moment now);
  // An item is new here or has new terms.
  void on_new_terms(ItemId item) { ask_about(item); }

  // Lets every answer go whose records are durable.
  void release(Lsn durable);

  // Why new orders are refused, from outside (drainer far behind, operator, stopping); Verdict::ok: they are not.
  void refuse_new_orders(Verdict why) { refusal_ = why; }
  Verdict refusal() const { return refusal_; }
  void set_available_groups(uint32_t groups) { available_groups_ = groups; }
  void set_lease_max(Units units) { settings_.lease_max = units; }
  // Orders up to this record are in the database (or there is none): only those may be forgotten.
  void set_drained(Lsn drained) { drained_ = drained; }

  // Stopping: every waiting request is told so and every unsold unit is given back. True when nothing is left to do.
  bool wind_up();

  // The moment before which pass_time() has nothing to do.
  int64_t quiet_until_ns() const;
  uint32_t asking_groups() const { return asking_groups_; }
  bool is_idle() const { return held_.empty() && waiting_count_ == 0; }
  const DeskStats& stats() const { return stats_; }
  const StreamState& state() const { return state_; }
  uint32_t waiting() const { return waiting_count_; }
  uint32_t held() const { return held_.size(); }
  uint32_t watchers() const { return watchers_.used(); }

 private:
  // What is known of an item beyond its records.
  struct Sale {
    uint32_t line_head = kNone, line_tail = kNone;  // waiting requests
    uint32_t line_size = 0;
    uint64_t line_units = 0;
    Units free = 0;  // the ledger's last news
    Units pool_elsewhere = 0;
    int64_t told_boot_ns = 0;  // when it came; 0: never
    int64_t demand_boot_ns = 0;
    Units known_pool = 0;         // unsold units here, as far as the ledger knows
    Units returned_durable = 0;   // of R: what the ledger may hear of
    Units returned_told = 0;      // of R: what the ledger counts as free by its last news
    bool is_asking = false;       // stands in asking_
    bool is_in_exchange = false;  // an ask is on its way
    bool is_idle_queued = false;
    bool is_in_lines = false;
  };
  struct Waiting {
    OrderRequest request;
    int64_t since_boot_ns;
    uint32_t next;
  };
  struct Held {
    Lsn lsn;
    OrderAnswer answer;
  };
  struct Watcher {
    uint32_t order, next;
    ReplyTo reply_to;
    int64_t until_boot_ns;
  };
  struct Returning {
    ItemId item;
    Units returned;
    Lsn lsn;
  };
  struct IdleCheck {
    ItemId item;
    int64_t at_boot_ns;
  };

  void create(const OrderRequest& request, Moment now, bool has_waited);
  bool answer_known_key(const OrderRequest& request);
  bool answer_purchase_limit(const OrderRequest& request, const SaleTerms& terms);
  Verdict sale_verdict(const SaleTerms& terms, Moment now) const;
  Verdict room_verdict() const;
  Verdict no_room_verdict() const;
  void reserve(const OrderRequest& request, const SaleTerms& terms, Moment now);
  void read(const OrderRequest& request, Moment now);
  void list(const OrderRequest& request);
  void cancel(const OrderRequest& request, Moment now);
  void pay(const OrderRequest& request, Moment now, bool has_waited);
  void pay_late(const OrderRequest& request, uint32_t index, Moment now, bool has_waited);
  void settle(const OrderRequest& request, uint32_t index, orderlog::RecordType outcome,
              Moment now);

  // Whether the request's units are in the pool; otherwise whether it is certain that they cannot be had.
  enum class Supply : uint8_t { here, gone, unknown };
  Supply supply_of(ItemId item, Quantity quantity, Moment now, bool has_waited) const;
  Units unsold_here(ItemId item) const;
  Units pool_to_report(ItemId item) const;
  void wait_for_units(const OrderRequest& request, Moment now);
  void serve_line(ItemId item, Moment now);
  void give_up_waiting(Moment now);
  OrderRequest pop_line(Sale& sale);

  void after_units_came_back(ItemId item, Moment now);
  uint32_t group_of(ItemId item) const;
  bool is_ledger_available(ItemId item) const;
  void ask_about(ItemId item);
  void watch_idle(ItemId item, int64_t at_boot_ns);
  void return_idle(Moment now);
  void give_back_pool(ItemId item);
  Units lookahead(ItemId item, Moment now) const;
  Units wanted(ItemId item, Moment now) const;
  void expire_due(Moment now);
  void forget_some(Moment now);
  bool may_forget(uint32_t index, Moment now) const;

  Lsn commit(const orderlog::Record& record, Moment now);
  void refuse(const OrderRequest& request, Verdict verdict);
  void answer_with_order(const OrderRequest& request, Verdict verdict, uint32_t index);
  OrderAnswer answer_to(const OrderRequest& request, Verdict verdict) const;
  void emit(const OrderAnswer& answer, Lsn lsn);
  void tell_watchers(uint32_t index, Moment now);
  void drop_stale_watchers(Moment now);
  void drop_watcher(uint32_t watcher);
  bool is_callers(const OrderRequest& request, uint32_t index) const;
  Sale& sale(ItemId item);

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
  uint32_t available_groups_ = ~uint32_t{0};

  std::vector<Sale> sales_;
  Slab<Waiting> waiting_slab_;
  uint32_t waiting_count_ = 0;
  Ring<Held> held_;
  std::vector<std::vector<ItemId>> asking_;  // by group
  uint32_t asking_groups_ = 0;               // those that are not empty
  Ring<IdleCheck> idle_checks_;
  Ring<Returning> returning_;
  std::vector<ItemId> lines_;  // items with waiting requests
  Slab<Watcher> watchers_;
  Buckets watchers_by_order_;
  int64_t next_watcher_sweep_ns_ = 0;
  uint32_t forget_cursor_ = 0;
  int64_t next_forget_ns_ = 0;
  SteadyWall wall_;  // forgetting is for good
  DeskStats stats_;
};

}  // namespace stampede::stock
