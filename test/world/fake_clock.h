// A clock that a test moves. It stands still between two moves, so a turn that reads it twice reads the same
// moment, and a sleep of a FakeNet takes no time: it moves the clock.
#pragma once

#include "base/clock.h"

namespace stampede::world {

class FakeClock final : public Clock {
 public:
  Moment now() override { return now_; }

  // Both clocks go on.
  void advance(int64_t ns) {
    now_.wall_ns += ns;
    now_.boot_ns += ns;
  }
  // The wall clock alone is set, forwards or backwards, as an operator or NTP may do it.
  void step_wall(int64_t ns) { now_.wall_ns += ns; }

 private:
  // 2027-01-15T08:00:00Z, 1,000 s after a boot.
  Moment now_{.wall_ns = 1'800'000'000 * kSecond, .boot_ns = 1'000 * kSecond};
};

}  // namespace stampede::world
