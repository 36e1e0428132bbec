// What all shards of the process share: the lanes between them, their doorbells, what each publishes for others to
// read, and levers that each shard reads once a turn. Everything else of a shard is its own.
//
// Made before the threads start and taken apart after they have ended; in between nothing in it moves.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "base/lane.h"
#include "door/address_table.h"
#include "door/rules.h"
#include "ledger/embedded.h"
#include "net/doorbell.h"
#include "orderlog/marks.h"
#include "shard/access_log.h"
#include "shard/item_survey.h"
#include "shard/mailbox.h"
#include "shard/metrics.h"
#include "shard/public_api.h"
#include "shard/reload.h"
#include "shard/stop.h"
#include "shard/turns.h"
#include "stock/catalog.h"
#include "stock/order_rates.h"

namespace stampede::shard {

struct Process {
  // `secret`: of the table of addresses, which nobody outside may know.
  explicit Process(uint32_t shards, uint64_t secret = 0);

  uint32_t shard_count;
  OrderLanes orders;
  ledger::LedgerLanes ledger;
  // Terms of items from the operators' shard to each shard.
  std::vector<std::unique_ptr<Lane<stock::ItemTerms>>> terms;
  std::vector<std::unique_ptr<net::Doorbell>> doorbells;
  std::vector<std::unique_ptr<Metrics>> metrics;
  std::vector<std::unique_ptr<Turns>> turns;
  std::vector<std::unique_ptr<orderlog::Marks>> marks;

  // Null: there is none. One line of every access_sample requests.
  std::unique_ptr<AccessLog> access_log;
  uint32_t access_sample = 1;
  int64_t slow_turn_ns = 0;  // a turn with more work is told; 0: none is
  // Of /metrics, to every shard.
  ItemSurvey item_survey;

  // Stored with release by the thread that waits for signals; ring_all() then wakes the shards.
  std::atomic<bool> is_stopping{false};
  // Stored before it: connections are kept for a process that takes this one's place.
  std::atomic<bool> passes_on{false};
  StopCounts stop_counts;
  std::atomic<uint32_t> shards_running{0};
  // Behind this many undrained records of one stream, new orders are refused; 0: never (no database).
  std::atomic<uint64_t> drain_lag_max{0};
  std::atomic<bool> has_database{true};
  std::atomic<Units> lease_max{256};
  uint32_t connections_max = UINT32_MAX;  // that descriptors permit; operators may set fewer
  stock::OrderRates order_rates;
  // Called by shard 0 when an item is new or changed, before its own sale of it; for the drainer's names of items.
  std::function<void(const stock::ItemTerms&)> on_terms;
  // Replaced by the key reader on SIGHUP; the number is raised after the keys.
  std::atomic<SharedKeys> keys;
  std::atomic<uint64_t> keys_number{0};
  // Every shard counts in it. With `order_rates` all that shards share on the path of a request (door/address_table.h).
  door::AddressTable addresses;
  // Who may operate; null: whoever reaches the listener. Looked at by shard 0.
  std::atomic<door::SharedOperators> operators;
  ReloadSlot reload;
  // What the door goes by: replaced whole, the number raised after it. Never null.
  std::atomic<door::SharedRules> rules{std::make_shared<const door::Rules>()};
  std::atomic<uint64_t> rules_number{0};
  // By shard: the number of the rules that it goes by.
  std::vector<std::unique_ptr<std::atomic<uint64_t>>> rules_taken;
  // Any thread, one at a time: shard 0's, once it turns. Rings every shard; returns the number.
  uint64_t publish_rules(door::Rules next);
  // Every shard goes by these rules or newer ones.
  [[nodiscard]] bool have_taken_rules(uint64_t number) const;

  void ring(uint64_t shards);  // a bit for each
  void ring_all() { ring(~uint64_t{0} >> (64 - shard_count)); }

  // Any thread: every shard is sealed and leaves in its next turn or two.
  [[nodiscard]] bool has_stopped() const {
    return stop_counts.sealed.load(std::memory_order_acquire) == shard_count;
  }
};

}  // namespace stampede::shard
