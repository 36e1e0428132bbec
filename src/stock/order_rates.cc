#include "stock/order_rates.h"

#include <algorithm>

#include "base/clock.h"
#include "base/hash.h"

namespace stampede::stock {
namespace {

constexpr uint64_t kRefusedMax = (1u << 20) - 1;
constexpr uint64_t kSecondMask = (1u << 24) - 1;

}  // namespace

int64_t RateBucket::wait_for(int64_t full_at, uint32_t per_second, int64_t now_ns) {
  const int64_t now = now_ns * kFraction;
  const int64_t content =
      std::max(interval(per_second), bounds::order_burst_ms * kMillisecond * kFraction);
  const int64_t wait = std::max(full_at, now) + interval(per_second) - content - now;
  return wait <= 0 ? 0 : (wait + kFraction - 1) / kFraction;
}

bool RateBucket::take(uint32_t per_second, int64_t now_ns) {
  std::atomic_ref shared(full_at_);
  int64_t full_at = shared.load(std::memory_order_relaxed);
  do {
    if (wait_for(full_at, per_second, now_ns) > 0) return false;
  } while (!shared.compare_exchange_weak(
      full_at, std::max(full_at, now_ns * kFraction) + interval(per_second),
      std::memory_order_relaxed));
  return true;
}

int64_t RateBucket::spread_ns(uint64_t user, uint32_t per_second, int64_t now_ns) {
  const uint64_t second = static_cast<uint64_t>(now_ns / kSecond) & kSecondMask;
  std::atomic_ref shared(refused_);
  uint64_t seen = shared.load(std::memory_order_relaxed), before = 0, next = 0;
  do {
    const uint64_t count = seen & kRefusedMax;
    const bool is_this_second = seen >> 40 == second;
    const bool was_last_second = seen >> 40 == ((second - 1) & kSecondMask);
    before = is_this_second ? (seen >> 20) & kRefusedMax : was_last_second ? count : 0;
    const uint64_t now_refused = is_this_second ? std::min(count + 1, kRefusedMax) : 1;
    next = second << 40 | before << 20 | now_refused;
  } while (!shared.compare_exchange_weak(seen, next, std::memory_order_relaxed));
  const uint64_t refused = std::max(before, next & kRefusedMax);
  const int64_t all_ns = std::min(static_cast<int64_t>(refused * 1'000'000'000 / per_second),
                                  bounds::order_spread_ms_max * kMillisecond);
  // 28 bits of a fraction, so that the product of both fits.
  return static_cast<int64_t>((mix(user ^ second << 40) >> 36) * static_cast<uint64_t>(all_ns) >>
                              28);
}

bool OrderRates::take(ItemId item, uint32_t item_rate, uint32_t sale_rate, int64_t now_ns) {
  if (item_rate != 0 && !of_item(item).take(item_rate, now_ns)) return false;
  if (sale_rate == 0 || sale_.take(sale_rate, now_ns)) return true;
  if (item_rate != 0) of_item(item).put_back(item_rate);
  return false;
}

}  // namespace stampede::stock
