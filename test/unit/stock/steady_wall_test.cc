#include "stock/steady_wall.h"

#include <doctest/doctest.h>

namespace stampede::stock {
namespace {

constexpr int64_t kDay = 24 * 3'600 * kSecond;

// A wall clock that can be set, and the machine's.
struct Clocks {
  Moment now{.wall_ns = 100 * kDay, .boot_ns = 5 * kSecond};
  SteadyWall wall;

  void run(int64_t seconds) {
    for (int64_t i = 0; i < seconds; ++i) {
      now.wall_ns += kSecond;
      now.boot_ns += kSecond;
      wall.observe(now);
    }
  }
  bool has_passed(int64_t wall_ns) const { return wall.has_passed(wall_ns / kMillisecond, now); }
};

TEST_SUITE("stock/steady_wall") {
  TEST_CASE("a moment passes once the clock has said so for an hour") {
    Clocks clocks;
    clocks.run(3'600);
    CHECK_FALSE(clocks.has_passed(99 * kDay));
    clocks.run(2);
    CHECK(clocks.has_passed(99 * kDay));
    CHECK_FALSE(clocks.has_passed(101 * kDay));
    clocks.run(24 * 3'600);
    CHECK(clocks.has_passed(101 * kDay));
  }

  TEST_CASE("a clock that is wrong for a moment makes nothing pass") {
    Clocks clocks;
    clocks.run(10'000);
    clocks.now.wall_ns += 40 * kDay;
    clocks.run(2);
    CHECK_FALSE(clocks.has_passed(101 * kDay));
    clocks.now.wall_ns -= 40 * kDay;
    clocks.run(10'000);
    CHECK_FALSE(clocks.has_passed(101 * kDay));
  }

  TEST_CASE("a clock that is wrong at the start and is set right makes nothing pass") {
    Clocks clocks;
    clocks.now.wall_ns += 40 * kDay;
    clocks.run(3'000);
    clocks.now.wall_ns -= 40 * kDay;
    clocks.run(10'000);
    CHECK_FALSE(clocks.has_passed(101 * kDay));
  }

  TEST_CASE("a wrong clock after a long sleep makes nothing pass") {
    Clocks clocks;
    clocks.run(10'000);
    clocks.now.boot_ns += kDay / 2;
    clocks.now.wall_ns += 40 * kDay;
    clocks.run(2);
    CHECK_FALSE(clocks.has_passed(101 * kDay));
  }

  TEST_CASE("a clock that was set forward for good is believed after a while") {
    Clocks clocks;
    clocks.run(10'000);
    clocks.now.wall_ns += 2 * kDay;
    clocks.run(2 * 3'600 + 2);
    CHECK(clocks.has_passed(101 * kDay));
  }
}

}  // namespace
}  // namespace stampede::stock
