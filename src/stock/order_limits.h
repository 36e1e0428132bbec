// What a desk holds new orders to, beside the terms of the item. Plain values: the door's rules (door/limits.h) as far as they
// are decided at the home shard, which takes them over between two turns (Shard::take_rules()).
#pragma once

#include <algorithm>
#include <cstdint>

#include "bounds.h"

namespace stampede::stock {

// Of whom new orders are taken at all.
enum class NewOrders : uint8_t {
  of_all,
  of_known_users,  // who hold or held an order that is still in memory here
  of_nobody,
};

// 0 is no limit.
struct OrderLimits {
  uint32_t user_requests = 0;  // of one user in a window of …
  uint32_t user_window_ms = 0;
  uint32_t open_per_user = 0;  // unpaid reservations of one user, all items
  uint32_t order_rate = 0;     // new reservations a second, all items and shards
  bool is_order_rate_automatic =
      false;  // what the database takes; order_rate is then not looked at
  NewOrders new_orders = NewOrders::of_all;
};

// How long a user who lets reservations expire must wait after the latest one, in units of what that costs the sale: the pay
// window of the item, in which a unit lay idle. Each order that he pays for makes up for one that he let lapse; of those
// beyond, two are free, the third costs one pay window, the next 2, 4, 8 and at most 16. So whoever never pays keeps a unit
// from others for a seventeenth of the time at most, and nobody waits longer than a day. The pause is over by itself; only the
// next lapse is dearer. Counted are orders in memory: with them (`--retain`) it is forgotten.
[[nodiscard]] constexpr int64_t pause_after_lapses_ms(uint64_t lapsed, uint64_t paid,
                                                      int64_t pay_window_s) {
  if (lapsed <= paid + bounds::lapses_free) return 0;
  const uint64_t doublings =
      std::min<uint64_t>(lapsed - paid - bounds::lapses_free - 1, bounds::lapse_doublings_max);
  return std::min((pay_window_s * 1000) << doublings, bounds::lapse_pause_ms_max);
}
static_assert(bounds::pay_window_s_max < INT64_MAX / 1000 >> bounds::lapse_doublings_max);

}  // namespace stampede::stock
