// Deadlines of reservations, connections and long polls, each known by a number: a hierarchical timing wheel (Varghese and Lauck 1987).
//
// Five levels of 64 slots, a tick of 2^23 ns (8.4 ms): 104 days, more than the longest pay window. Scheduling and
// cancelling are a few stores; a slot of a higher level is dealt out to lower ones when its time comes. Both that and
// expiry itself count against the caller's budget, so that a million reservations of one second expire over many turns
// and no turn stands still. A timer never fires early and at most one tick late (plus the backlog).
#pragma once

#include <cstdint>

#include "base/reserved.h"
#include "base/slab.h"

namespace stampede::stock {

class TimerWheel {
 public:
  static constexpr unsigned kTickBits = 23;
  static constexpr unsigned kSlotBits = 6;
  static constexpr unsigned kLevels = 5;

  // Timers are named by numbers below timers_max.
  TimerWheel(uint32_t timers_max, int64_t now_ns);

  // When a timer with this deadline is due, unless there is a backlog.
  static int64_t expires_boot_ns(int64_t deadline_ns) {
    return static_cast<int64_t>(tick_of(deadline_ns) << kTickBits);
  }

  // `timer` must not be scheduled already.
  void schedule(uint32_t timer, int64_t deadline_ns);
  void cancel(uint32_t timer);  // nothing happens when it is not scheduled
  bool is_scheduled(uint32_t timer) const { return links_[timer].slot != 0; }
  // It is scheduled, and not later than one with this deadline would be.
  bool is_scheduled_by(uint32_t timer, int64_t deadline_ns) const {
    return is_scheduled(timer) && links_[timer].tick <= tick_of(deadline_ns);
  }

  // Takes out the next timer whose deadline has passed, or kNone; `budget` is lowered by the work done and the call
  // gives up when it reaches 0 (then more may be due).
  [[nodiscard]] uint32_t next_due(int64_t now_ns, uint32_t& budget);

  // No timer is due before this moment; INT64_MAX when there is none. How long the shard may sleep.
  int64_t quiet_until_ns() const;

  uint32_t size() const { return size_; }

 private:
  static constexpr unsigned kSlots = 1u << kSlotBits;
  static constexpr uint64_t kTickMask = (uint64_t{1} << 48) - 1;

  struct Link {
    uint32_t next, prev;  // timers in the same slot, index + 1; 0: none
    uint64_t slot : 16;   // level * kSlots + slot + 1; 0: not scheduled
    uint64_t tick : 48;   // 70,000 years
  };
  static_assert(sizeof(Link) == 16);

  // Rounded up: a timer that fires early would take an order from a client who is still in time.
  static uint64_t tick_of(int64_t deadline_ns) {
    return (uint64_t(deadline_ns > 0 ? deadline_ns : 0) >> kTickBits) + 1;
  }
  void put(uint32_t timer, uint64_t tick);
  uint32_t take_first(uint32_t slot);
  bool deal_out(uint32_t& budget);

  Reserved<Link> links_;
  uint32_t heads_[kLevels * kSlots] = {};  // timer + 1
  uint64_t tick_;                          // every tick before this one has been worked off
  uint32_t size_ = 0;
};

}  // namespace stampede::stock
