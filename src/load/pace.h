// When each order is due, in ns after the first moment. The rate is the plan's at the beginning; each ramp leads it
// in a straight line to another one, and the last one stays. A burst is due at the first moment, in front of all that.
//
//   rate            ____________ ramp 2's, for ever
//              ____/
//             /    ramp 1: from the plan's rate, then 2
//     burst │/
//
// Orders are dealt out along the area below that line, so that their number within any time follows from the rate
// alone, without drift.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "load/plan.h"

namespace stampede::load {

// Seventy years, which nobody waits for: a tiny rate's moments are beyond what the type holds, also behind another moment.
constexpr double kNeverNs = 0x1p61;

inline int64_t moment_of(double ns) {
  return ns < kNeverNs ? static_cast<int64_t>(ns) : static_cast<int64_t>(kNeverNs);
}

class Pace {
 public:
  explicit Pace(const Plan& plan) : plan_(plan) {}

  // Only at a rate: without one nothing is due.
  int64_t due_ns(uint64_t order) const {
    if (order < plan_.burst) return 0;
    double left = static_cast<double>(order - plan_.burst);
    double begin_ns = 0, rate = plan_.rate;
    for (const Ramp& ramp : plan_.ramps) {
      const double seconds = static_cast<double>(ramp.ns) / 1e9;
      const double orders = (rate + ramp.rate) / 2 * seconds;
      if (left < orders) return moment_of(begin_ns + into_ns(rate, ramp, left));
      left -= orders;
      begin_ns += static_cast<double>(ramp.ns);
      rate = ramp.rate;
    }
    return moment_of(begin_ns + left * 1e9 / rate);
  }

 private:
  // The time t with rate × t + (ramp.rate − rate) / 2 / length × t² = orders.
  static double into_ns(double rate, const Ramp& ramp, double orders) {
    const double seconds = static_cast<double>(ramp.ns) / 1e9;
    const double root = rate * rate + 2 * orders * (ramp.rate - rate) / seconds;
    return 2e9 * orders / (rate + std::sqrt(std::max(0.0, root)));
  }

  const Plan& plan_;
};

}  // namespace stampede::load
