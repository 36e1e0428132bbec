#include "base/clock.h"

#include <doctest/doctest.h>
#include <time.h>

namespace stampede {
namespace {

TEST_SUITE("base/clock") {
  TEST_CASE("wall time is the time of day and boot time never goes back") {
    SystemClock clock;
    const time_t before = time(nullptr);
    const Moment first = clock.now();
    const Moment second = clock.now();
    CHECK(first.wall_ns / kSecond >= before - 1);  // time() reads a coarser clock
    CHECK(first.boot_ns > 0);
    CHECK(second.boot_ns >= first.boot_ns);
  }

  TEST_CASE("milliseconds are whole ones") {
    CHECK(Moment{.wall_ns = 1'999'999}.wall_ms() == 1);
    CHECK(Moment{.wall_ns = 2'000'000}.wall_ms() == 2);
  }

  TEST_CASE("the id of this boot is the same each time it is read") {
    const BootId id = read_boot_id();
    CHECK(id == read_boot_id());
    CHECK_FALSE(id == BootId{});
  }

  TEST_CASE("two clocks of one boot that run apart are two boots") {
    const BootId boot{.low = 1, .high = 2};
    CHECK(in_time_namespace(boot, 0) == boot);
    CHECK_FALSE(in_time_namespace(boot, 5 * kSecond) == boot);
    CHECK(in_time_namespace(boot, 5 * kSecond) == in_time_namespace(boot, 5 * kSecond));
    CHECK_FALSE(in_time_namespace(boot, 5 * kSecond) == in_time_namespace(boot, -5 * kSecond));
  }
}

}  // namespace
}  // namespace stampede
