// The leases of one stream: units that it holds of the ledger, how it gets more and gives them back, and so its answers
// about the stock. Pure, like the desk that owns it.
//
// Units come in batches: ahead of demand while stock is plenty, exactly the waiting demand when it is scarce, and they go
// back after 50 ms without demand. An item is in at most one exchange at a time.
//
// A pool that is too small for the head of the line goes back too, and then nothing is asked for until as many units are free as
// the head needs: two streams that hold half an order each would take the halves again for ever.
//
//   stream                                        ledger
//     LedgerAsk {A, R durable, pool, want} ───────▶ free += newly returned; grants min(want, free)
//     ◀──────── LedgerNews {a, r, free, elsewhere}
//     GRANT record: A = a, and units are sold from the pool
//     …
//     GIVE_BACK record: R += pool; durable ───────▶ with the next ask
//
// `sold_out` is answered only when it is true: at some moment since the ledger made the stream's last news, fewer units were unsold
// than the buyer asks for. The news came at most 100 ms ago. Every unit is counted at that moment, and rather twice than not at all:
//   - a unit that is free, or that another stream holds unsold, is in the news;
//   - a unit that was granted counts for its stream from the grant on, before the stream has the news of it;
//   - a unit on its way back counts here until the ledger's news has it among the returned ones;
//   - the pool counts with the most units that it has held since the stream made the last ask that has been answered. The news
//     speaks of a moment behind that ask, and nobody knows which. Example: nothing is free, others hold nothing, and one unit
//     is here. Another stream gets a unit back, and then the one here is sold. One was there at every moment, though the last
//     news knows of none elsewhere and none is here now.
//
// A decision that stands, that the money of a late payment goes back, needs more: no unit that somebody gave back before the
// payment arrived may be missed. A stream tells the ledger of such units within 100 ms; so the news must answer an ask that was
// made at least so long after the payment came.
#pragma once

#include <span>
#include <vector>

#include "base/clock.h"
#include "base/ring.h"
#include "ledger/messages.h"
#include "order.h"
#include "stock/catalog.h"
#include "stock/journal.h"
#include "stock/stream_state.h"

namespace stampede::stock {

struct LeaseSettings {
  uint32_t stream_count = 1;  // that share the ledger
  uint32_t group_count = 1;   // of the ledger
  Units lease_max = 256;      // ahead of demand
};

struct LeaseStats {
  uint64_t grants = 0;  // accepted
  uint64_t units_granted = 0;
  uint64_t units_returned = 0;
};

class Leases {
 public:
  // The references must outlive the leases.
  Leases(const LeaseSettings& settings, StreamState& state, const Catalog& catalog,
         Journal& journal, Moment now);

  // ---- answers about the stock ----

  // Whether so many units are in the pool, for a request whose turn it is to take them; otherwise whether it is certain that
  // they cannot be had anywhere.
  enum class Supply : uint8_t { here, gone, unknown };
  [[nodiscard]] Supply supply_of(ItemId item, Quantity quantity, bool is_my_turn, Moment now) const;
  // The same for a decision that stands, about a request that arrived then: `gone` takes news of an ask that was made
  // bounds::sold_out_valid_ms later or after that.
  [[nodiscard]] Supply supply_for_good(ItemId item, Quantity quantity, bool is_my_turn,
                                       int64_t arrived_boot_ns) const;
  // At most so many units were unsold anywhere at some moment since the last news was made, if not now.
  [[nodiscard]] Units unsold(ItemId item) const;
  // For a request that only looks: the pool and the last news, however old it is; after half a second it is asked for again. Unlike
  // unsold() it proves nothing.
  struct Glance {
    Units available = 0;
    int64_t age_ns = 0;           // of the news
    bool is_known = false;        // there has been news
    bool is_news_coming = false;  // the ledger can be asked
  };
  [[nodiscard]] Glance glance(ItemId item, Moment now);
  // Free units by the last news, and when it came; 0: never.
  struct LastNews {
    Units free = 0;
    int64_t at_boot_ns = 0;
  };
  [[nodiscard]] LastNews last_news(ItemId item) const {
    return {.free = at(item).free, .at_boot_ns = at(item).news_boot_ns};
  }

  // ---- the desk's reports ----

  // In the item's line: units in all, and units that the head of the line needs.
  void set_waiting(ItemId item, Units units, Units head) {
    at(item).waiting = units;
    at(item).head = head;
  }
  void set_waiting(ItemId item, Units units) { set_waiting(item, units, units); }  // of one request
  void note_demand(ItemId item, Moment now) { at(item).demand_boot_ns = now.boot_ns; }
  // Units have left the pool: leases the next ones while there are some, for an exchange takes a turn or more.
  void on_sold(ItemId item, Moment now);
  // Units have come into the pool, by a cancel or an expiry.
  void on_came_back(ItemId item, Moment now);

  // ---- exchanges with the ledger ----

  void ask_about(ItemId item);
  // Asks when the last news is older than this.
  void ask_if_older(ItemId item, int64_t age_ms, Moment now);
  // When ask_if_older() will ask again. Never while it is to be asked about already: the ledger cannot be asked now, and the shard
  // is woken when it can.
  [[nodiscard]] int64_t asks_again_boot_ns(ItemId item, int64_t age_ms) const;
  // Free units that the line here may ask for.
  [[nodiscard]] bool has_free(ItemId item) const { return at(item).free > 0 && !is_yielding(item); }
  // Fills `asks` with the asks about items of these groups, group by group, and returns their number. Only of groups whose
  // last exchange has been answered.
  [[nodiscard]] size_t collect_asks(uint32_t groups, std::span<LedgerAsk> asks, Moment now);
  // Takes news, and the units in it. report_if_scarce() must follow when the waiting requests have been served.
  void take_news(const LedgerNews& news, Moment now);
  // When nothing is free, a change here since the last ask decides whether this stream and others may answer sold_out: asks again.
  void report_if_scarce(ItemId item);
  [[nodiscard]] uint32_t asking_groups() const { return asking_groups_; }
  // A shared ledger's exchanges begin (again): every item of the groups is asked about, for the last grants may not
  // have arrived.
  void begin_epoch(uint32_t groups, uint32_t stream_count);
  void set_available_groups(uint32_t groups) { available_groups_ = groups; }
  [[nodiscard]] bool is_ledger_available(ItemId item) const;

  // ---- giving back ----

  // Gives back pools that have been idle, with a budget. Once per turn.
  void return_idle(Moment now);
  // Gives back every pool; false: the journal has no room, go on in a later turn.
  [[nodiscard]] bool return_all();
  // Returns up to this record are durable, and may be reported to the ledger.
  void on_durable(Lsn durable);
  [[nodiscard]] bool is_returning() const { return !returning_.empty(); }
  [[nodiscard]] int64_t quiet_until_ns() const;

  void set_lease_max(Units units) { settings_.lease_max = units; }
  void set_stopping(bool is_stopping) {
    is_stopping_ = is_stopping;
  }  // then nothing is leased ahead

  [[nodiscard]] StreamCount count(ItemId item) const;
  // As far as the disk has it: returns that are not durable count as the stream's still.
  [[nodiscard]] StreamCount durable_count(ItemId item) const;
  [[nodiscard]] const LeaseStats& stats() const { return stats_; }

 private:
  // The state of an item beyond its records.
  struct Item {
    Units waiting = 0;  // asked for by requests in the item's line
    Units head = 0;     // of them: by its head
    Units free = 0;     // by the last news, as the next one
    Units pool_elsewhere = 0;
    Units returned_counted = 0;    // of R: among the free ones, by the last news
    Units returned_durable = 0;    // of R: durable, so the ledger may have them
    Units reported_pool = 0;       // unsold units here that the last ask reported, and grants since
    Units peak_asked = 0;          // most units in the pool since the last ask was made
    Units peak_answered = 0;       // the same since the last ask was made that has been answered
    int64_t news_boot_ns = 0;      // when the last news came; 0: never
    int64_t asked_boot_ns = 0;     // when the oldest ask was made whose answer may still come
    int64_t answered_boot_ns = 0;  // when the last ask was made that has been answered; 0: never
    int64_t demand_boot_ns = 0;
    bool is_asking = false;       // is in asking_
    bool is_in_exchange = false;  // an ask is on its way
    bool is_idle_queued = false;
    bool has_let_go = false;  // of a pool that was too small for the head of the line
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

  Item& at(ItemId item);
  const Item& at(ItemId item) const;
  uint32_t group_of(ItemId item) const;
  bool is_here(ItemId item, Quantity quantity, bool is_my_turn) const;
  Units on_way_back(ItemId item) const;
  Units pool_to_report(ItemId item) const;
  Units lookahead(ItemId item, Moment now) const;
  Units wanted(ItemId item, Moment now) const;
  bool is_too_little(ItemId item) const;
  bool is_yielding(ItemId item) const;
  ItemId take_asking(uint32_t group);
  void watch_idle(ItemId item, int64_t at_boot_ns);
  void check_idle(ItemId item, Moment now);
  void give_back_pool(ItemId item);

  LeaseSettings settings_;
  StreamState& state_;
  const Catalog& catalog_;
  Journal& journal_;
  uint32_t available_groups_ = ~uint32_t{0};
  bool is_stopping_ = false;

  std::vector<Item> items_;
  std::vector<std::vector<ItemId>> asking_;  // by group
  uint32_t asking_groups_ = 0;               // those that are not empty
  Ring<IdleCheck> idle_checks_;
  Ring<Returning> returning_;
  LeaseStats stats_;
};

}  // namespace stampede::stock
