// Has a moment of the wall clock really passed? For what cannot be undone.
//
// A wall clock may be wrong for a while: a hardware clock that is read at boot, before the network's time has come; a hand
// that sets it and sets it back. What rests on one look at it, such as forgetting paid orders whose time to be read is over,
// would be done for good by a second of a wrong clock. So a moment has passed only when the clock has said so all the time,
// for an hour of CLOCK_BOOTTIME at least, which nobody sets; a clock that jumps back is believed at once. To be late by an
// hour or two is harmless.
//
//          lowest offset (wall − boot) of …
//   ├──── the hour before ────┤├──── this one … now     has passed: by the lower of the two
//
// Owned by one thread.
#pragma once

#include <algorithm>

#include "base/clock.h"

namespace stampede::stock {

class SteadyWall {
 public:
  static constexpr int64_t kPeriodNs = 3'600 * kSecond;

  // To be called often, a second apart or so. What happens between two calls is not seen, and counts as nothing.
  void observe(Moment now) {
    const int64_t offset_ns = now.wall_ns - now.boot_ns;
    if (!is_begun_ || now.boot_ns - period_began_ns_ >= kPeriodNs) {
      has_period_before_ = is_begun_;
      lowest_before_ns_ = lowest_ns_;
      lowest_ns_ = offset_ns;
      period_began_ns_ = now.boot_ns;
      is_begun_ = true;
    }
    lowest_ns_ = std::min(lowest_ns_, offset_ns);
  }

  [[nodiscard]] bool has_passed(int64_t wall_ms, Moment now) const {
    if (!has_period_before_) return false;
    const int64_t offset_ns = std::min(lowest_ns_, lowest_before_ns_);
    return (now.boot_ns + offset_ns) / kMillisecond > wall_ms;
  }

 private:
  bool is_begun_ = false;
  bool has_period_before_ = false;
  int64_t period_began_ns_ = 0;  // on the boot clock
  int64_t lowest_ns_ = 0;
  int64_t lowest_before_ns_ = 0;
};

}  // namespace stampede::stock
