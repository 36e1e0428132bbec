// What one shard counts. Written by its thread alone, read by the operators' shard at any moment: each counter is a
// relaxed atomic with a single writer, so counting costs a plain load and store.
//
// The stages carry the words of an order's life: received → reserved → durable → acked.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "base/histogram.h"
#include "order.h"
#include "stock/busiest_items.h"
#include "stock/refusals.h"

namespace stampede::shard {

class Counter {
 public:
  void add(uint64_t n = 1) { value_.store(get() + n, std::memory_order_relaxed); }
  void set(uint64_t value) { value_.store(value, std::memory_order_relaxed); }
  uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

struct Metrics {
  // Public answers by verdict.
  std::array<Counter, kVerdictCount> answers;
  std::array<Counter, kLimitCount> limited;  // rate_limited, by the limit
  Counter requests;

  // Connections
  Counter connections_open, connections_accepted, connections_shed, connections_timed_out,
      connections_stalled, connections_evicted, connections_refused;
  Counter addresses_unnamed;
  Counter bytes_read, bytes_written;
  Counter output_buffers_bytes;
  Counter access_lines_dropped;  // of the access log

  // Orders
  Counter orders_live, orders_max, orders_expired, orders_forgotten;
  Counter image_bytes;  // of a snapshot of the orders in memory
  Counter requests_waiting, waits, waits_timed_out, waits_refused, answers_held, watchers;
  Counter watches_refused;
  Counter leases, units_leased, units_returned;
  Counter requests_forwarded;
  Counter users_known;            // who hold or held an order in memory
  Counter user_counts_forgotten;  // of the windows of --rate-user
  Counter new_orders_refused;     // the verdict that refuses them now; 0 when none does

  stock::Refusals refusals;           // of orders and links, by item and reason
  stock::BusiestItems busiest_items;  // by units leased

  // Payments that were decided, by outcome (stock/desk.h).
  Counter paid, late_paid, refund_due, payments_rejected, payments_failed;

  // Order log and turns
  Counter log_writes, log_bytes, segments_ready;
  Counter turns, polls_slept;

  Histogram reserved_ns;    // received → reserved: mailbox, ledger
  Histogram durable_ns;     // reserved → durable: the group commit
  Histogram acked_ns;       // received → acked, at the shard that has the connection
  Histogram log_write_ns;   // submitted → completed
  Histogram batch_records;  // records of one group commit
};

}  // namespace stampede::shard
