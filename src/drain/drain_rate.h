// How many new reservations a second the database takes: `--order-rate auto`.
//
// Measured by the drainer, transaction by transaction: rows a second from the beginning of the reading to the end of the
// commit. While there is a backlog, transactions are full and the figure is the most that the database can do; with none it is too
// low rather than too high, and the limit that it makes is not reached. A transaction of less than 64 rows is mostly its fsync: its
// figure is low because the sale is slow, not the database. It can only raise the rate, for the database did take so much. And
// it must, or a rate that was once low would stay so: no more orders come than it lets in, and they make small transactions.
//
// Each order is written twice: when it is reserved, and when it is paid, cancelled or expires. So the rate of reservations is
// half of the rows. It moves by a quarter of the way to each new figure, which may be at most double or half of the present
// rate, so that one transaction that was held up does not stop a sale; and it never falls below 100 a second.
//
// Before the first measurement it is 5,000 a second, which a PostgreSQL on a disk of its own takes; the first rows of a sale
// correct it within some 100 ms. While the database is away nothing is measured and the last figure stays: the order log
// takes the orders, at most `--drain-lag-max` of them. Pure; one thread.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/clock.h"
#include "bounds.h"

namespace stampede::drain {

class DrainRate {
 public:
  static constexpr uint64_t kRowsLeast = 64;
  static constexpr uint32_t kFirst = 5'000, kLeast = 100;

  // A transaction that was committed.
  void observe(uint64_t rows, int64_t took_ns) {
    if (took_ns <= 0) return;
    const double measured = static_cast<double>(rows) / 2 * kSecond / static_cast<double>(took_ns);
    if (rows < kRowsLeast && measured <= per_second_) return;
    const double likely = std::clamp(measured, per_second_ / 2, per_second_ * 2);
    per_second_ = std::clamp(per_second_ + (likely - per_second_) / 4, double{kLeast},
                             double{bounds::order_rate_max});
  }
  // New reservations a second.
  uint32_t per_second() const { return static_cast<uint32_t>(per_second_); }

 private:
  double per_second_ = kFirst;
};

}  // namespace stampede::drain
