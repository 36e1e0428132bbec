// How many new reservations a second there may be, of one item (`"order_rate"` in the catalog) and of all (`--order-rate`):
// token buckets that all shards of the process share, so that N shards do not multiply a rate.
//
// A bucket is one atomic number (GCRA, ATM Forum 1996): the moment at which it is full again. Each token moves that by
// 1/rate; a token is there while it is at most the bucket's content ahead of now. A bucket holds one token and those of 50 ms,
// so that whoever comes so late for his does not make the next one come too early. The interval is the caller's, so a rate that
// changes takes effect at once and there is nothing to tell the bucket.
//
// A token is taken in the moment in which a unit is reserved and at no other: who is refused, waits or repeats costs none.
// So whoever was told that one is there may find it gone a moment later, taken on another shard, and is refused then.
//
// Who is refused hears a moment of his own: that of the first token that nobody else was told of, first come, first served. A
// random moment within the time that all need would be that of a token for fewer than half of them. The token is not kept
// for him: whoever asks just before has it. More than 30 s of moments are not given away, for most who were told would not come.
// A crowd that is larger spreads over these 30 s by the users' hashes, another share each second, and comes back in vain for
// the most part. A user who asks all the time takes moments away from others: `--rate-user` stands in front of it.
//
// The one place beside the door's addresses where shards share a cache line on the path of an order, and only while a rate
// is set: one compare-and-swap an order, which at 100,000 orders a second on many shards is some 1 % of their time.
// Any thread.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/reserved.h"
#include "bounds.h"
#include "order.h"

namespace stampede::stock {

class RateBucket {
 public:
  // How long until there is a token; 0: there is one now.
  [[nodiscard]] int64_t wait_ns(int64_t now_ns) {
    return wait_for(std::atomic_ref(full_at_).load(std::memory_order_relaxed), now_ns);
  }
  // Takes a token; false: there is none (any more). `per_second` is above 0, here and below.
  [[nodiscard]] bool take(uint32_t per_second, int64_t now_ns);
  // Puts back one that was taken at this rate and not used.
  void put_back(uint32_t per_second) {
    std::atomic_ref(full_at_).fetch_sub(interval(per_second), std::memory_order_relaxed);
  }
  // For one who is refused: how long until the token of his own, which is told to nobody else while there are such. Never
  // sooner than wait_ns().
  [[nodiscard]] int64_t turn_ns(uint64_t user, uint32_t per_second, int64_t now_ns);

 private:
  // Moments in sixteenths of a nanosecond since boot: 36 years, and 1 % exact at the highest rate.
  static constexpr int64_t kFraction = 16;
  static int64_t interval(uint32_t per_second) {
    return (1'000'000'000 * kFraction + per_second - 1) / per_second;
  }
  static int64_t wait_for(int64_t full_at, int64_t now_ns);

  // Through atomic_ref alone, so that a bucket may lie in memory that begins as zeros.
  int64_t full_at_ = 0;
  int64_t told_until_ = 0;  // tokens before this moment have been told of
};
static_assert(std::atomic_ref<int64_t>::is_always_lock_free);

class OrderRates {
 public:
  OrderRates() : items_(bounds::item_count_max) {}

  RateBucket& sale() { return sale_; }
  RateBucket& of_item(ItemId item) { return items_[item]; }
  // A token of each that has a rate (0: none), or of neither.
  [[nodiscard]] bool take(ItemId item, uint32_t item_rate, uint32_t sale_rate, int64_t now_ns);

  // What `auto` means now: set by the drainer's thread, which measures it. 0: no limit, for there is no database.
  uint32_t measured() const { return measured_.load(std::memory_order_relaxed); }
  void set_measured(uint32_t per_second) { measured_.store(per_second, std::memory_order_relaxed); }

 private:
  RateBucket sale_;
  Reserved<RateBucket> items_;
  std::atomic<uint32_t> measured_{0};
};

}  // namespace stampede::stock
