#include "base/words.h"

#include <doctest/doctest.h>

namespace stampede {
namespace {

TEST_SUITE("base/words") {
  TEST_CASE("digits are grouped in threes with a sign in front of them") {
    CHECK(grouped(uint64_t{0}) == "0");
    CHECK(grouped(uint64_t{999}) == "999");
    CHECK(grouped(1000) == "1,000");
    CHECK(grouped(uint64_t{123456}) == "123,456");
    CHECK(grouped(UINT64_MAX) == "18,446,744,073,709,551,615");
    CHECK(grouped(-1000) == "-1,000");
    CHECK(grouped(INT64_MIN) == "-9,223,372,036,854,775,808");
  }

  TEST_CASE("one is a singular and everything else a plural") {
    CHECK(counted(0, "item") == "0 items");
    CHECK(counted(1, "item") == "1 item");
    CHECK(counted(2000, "item") == "2,000 items");
    CHECK(counted(1, "batch", "batches") == "1 batch");
    CHECK(counted(2, "batch", "batches") == "2 batches");
  }

  TEST_CASE("durations have three digits and the unit that fits") {
    CHECK(duration_text(0) == "0 ns");
    CHECK(duration_text(999) == "999 ns");
    CHECK(duration_text(1'000) == "1.00 us");
    CHECK(duration_text(12'345) == "12.3 us");
    CHECK(duration_text(123'456) == "123 us");
    CHECK(duration_text(999'999) == "1.00 ms");
    CHECK(duration_text(99'960'000) == "100 ms");
    CHECK(duration_text(1'500'000'000) == "1.50 s");
    CHECK(duration_text(3'600'000'000'000) == "3,600 s");
  }

  TEST_CASE("what is to come has whole seconds and is never less than nothing") {
    CHECK(seconds_text(0) == "0 s");
    CHECK(seconds_text(2.1) == "3 s");
    CHECK(seconds_text(3600) == "3,600 s");
    CHECK(seconds_text(-5) == "0 s");
  }

  TEST_CASE("sizes are bytes below a KiB and have three digits above") {
    CHECK(size_text(1) == "1 byte");
    CHECK(size_text(1023) == "1,023 bytes");
    CHECK(size_text(1024) == "1.00 KiB");
    CHECK(size_text(uint64_t{412} << 10) == "412 KiB");
    CHECK(size_text(uint64_t{1023} << 10) == "1,023 KiB");
    CHECK(size_text(uint64_t{64} << 20) == "64.0 MiB");
    CHECK(size_text(uint64_t{2000} << 20) == "1.95 GiB");
  }
}

}  // namespace
}  // namespace stampede
