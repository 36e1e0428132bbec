#include "stock/timer_wheel.h"

#include <algorithm>

namespace stampede::stock {

TimerWheel::TimerWheel(uint32_t timers_max, int64_t now_ns)
    : links_(timers_max), tick_(uint64_t(now_ns) >> kTickBits) {}

void TimerWheel::schedule(uint32_t timer, int64_t deadline_ns) {
  links_.reach(timer);
  CHECK(!is_scheduled(timer));
  const uint64_t tick = tick_of(deadline_ns);
  links_[timer].tick = tick & kTickMask;
  put(timer, tick);
  ++size_;
}

void TimerWheel::put(uint32_t timer, uint64_t tick) {
  constexpr uint64_t kSpan = uint64_t{1} << (kSlotBits * kLevels);
  tick = std::clamp(tick, tick_, tick_ + kSpan - 1);
  const uint64_t distance = tick - tick_;
  unsigned level = 0;
  while (level + 1 < kLevels && distance >= (uint64_t{1} << (kSlotBits * (level + 1)))) ++level;
  const auto slot =
      static_cast<uint16_t>(level * kSlots + ((tick >> (kSlotBits * level)) & (kSlots - 1)));
  Link& link = links_[timer];
  link.slot = static_cast<uint16_t>(slot + 1);
  link.prev = 0;
  link.next = heads_[slot];
  if (link.next != 0) links_[link.next - 1].prev = timer + 1;
  heads_[slot] = timer + 1;
}

void TimerWheel::cancel(uint32_t timer) {
  Link& link = links_[timer];
  if (link.slot == 0) return;
  if (link.next != 0) links_[link.next - 1].prev = link.prev;
  if (link.prev != 0)
    links_[link.prev - 1].next = link.next;
  else
    heads_[link.slot - 1] = link.next;
  link.slot = 0;
  --size_;
}

uint32_t TimerWheel::take_first(uint32_t slot) {
  const uint32_t timer = heads_[slot] - 1;
  cancel(timer);
  return timer;
}

// When tick_ enters a new slot of a higher level, that slot's timers move down, one for one unit of budget. Put again,
// each lands on a lower level, because less than one slot's span is left; so the loop ends. False: budget used up.
bool TimerWheel::deal_out(uint32_t& budget) {
  for (unsigned level = kLevels - 1; level >= 1; --level) {
    if ((tick_ & ((uint64_t{1} << (kSlotBits * level)) - 1)) != 0) continue;
    const uint32_t slot = level * kSlots + ((tick_ >> (kSlotBits * level)) & (kSlots - 1));
    while (heads_[slot] != 0) {
      if (budget == 0) return false;
      --budget;
      const uint32_t timer = take_first(slot);
      put(timer, links_[timer].tick);
      ++size_;
    }
  }
  return true;
}

uint32_t TimerWheel::next_due(int64_t now_ns, uint32_t& budget) {
  const uint64_t now_tick = uint64_t(now_ns) >> kTickBits;
  if (size_ == 0) {
    tick_ = std::max(tick_, now_tick);
    return kNone;
  }
  while (tick_ <= now_tick) {
    if (!deal_out(budget) || budget == 0) return kNone;
    const uint32_t slot = tick_ & (kSlots - 1);
    if (heads_[slot] != 0) {
      --budget;
      return take_first(slot);
    }
    if (tick_ == now_tick) return kNone;
    ++tick_;
  }
  return kNone;
}

int64_t TimerWheel::quiet_until_ns() const {
  if (size_ == 0) return INT64_MAX;
  // Beyond the end of this round of the lowest level, timers may come down from above.
  uint64_t tick = tick_;
  const uint64_t round_end = (tick_ | (kSlots - 1)) + 1;
  while (tick < round_end && heads_[tick & (kSlots - 1)] == 0) ++tick;
  return static_cast<int64_t>(tick << kTickBits);
}

}  // namespace stampede::stock
