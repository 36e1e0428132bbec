#include "stock/order_rates.h"

#include <algorithm>

#include "base/clock.h"
#include "base/hash.h"

namespace stampede::stock {
namespace {

constexpr uint64_t kSecondMask = (1u << 24) - 1;

// 28 bits of a fraction, so that the product of both fits.
int64_t share_of(uint64_t user, int64_t now_ns, int64_t all_ns) {
  const uint64_t second = static_cast<uint64_t>(now_ns / kSecond) & kSecondMask;
  return static_cast<int64_t>((mix(user ^ second << 40) >> 36) * static_cast<uint64_t>(all_ns) >>
                              28);
}

}  // namespace

int64_t RateBucket::wait_for(int64_t full_at, int64_t now_ns) {
  const int64_t now = now_ns * kFraction;
  const int64_t ahead = std::max(full_at, now) - now;
  const int64_t wait = ahead - bounds::order_burst_ms * kMillisecond * kFraction;
  return wait <= 0 ? 0 : (wait + kFraction - 1) / kFraction;
}

bool RateBucket::take(uint32_t per_second, int64_t now_ns) {
  std::atomic_ref shared(full_at_);
  int64_t full_at = shared.load(std::memory_order_relaxed);
  do {
    if (wait_for(full_at, now_ns) > 0) return false;
  } while (!shared.compare_exchange_weak(
      full_at, std::max(full_at, now_ns * kFraction) + interval(per_second),
      std::memory_order_relaxed));
  return true;
}

int64_t RateBucket::turn_ns(uint64_t user, uint32_t per_second, int64_t now_ns) {
  constexpr int64_t kSpreadNs = bounds::order_spread_ms_max * kMillisecond;
  const int64_t next_ns = wait_ns(now_ns);
  const int64_t next_at = (now_ns + next_ns) * kFraction;
  std::atomic_ref shared(told_until_);
  int64_t told_until = shared.load(std::memory_order_relaxed), at = 0;
  do {
    at = std::max(told_until, next_at);
    if (at - next_at >= kSpreadNs * kFraction) return next_ns + share_of(user, now_ns, kSpreadNs);
  } while (!shared.compare_exchange_weak(told_until, at + interval(per_second),
                                         std::memory_order_relaxed));
  return next_ns + (at - next_at + kFraction - 1) / kFraction;
}

bool OrderRates::take(ItemId item, uint32_t item_rate, uint32_t sale_rate, int64_t now_ns) {
  if (item_rate != 0 && !of_item(item).take(item_rate, now_ns)) return false;
  if (sale_rate == 0 || sale_.take(sale_rate, now_ns)) return true;
  if (item_rate != 0) of_item(item).put_back(item_rate);
  return false;
}

}  // namespace stampede::stock
