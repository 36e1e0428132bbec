// The numbers behind a loss: above all that is known, others each time, and enough of them for decades.
#include "node/sequence_floor.h"

#include <array>
#include <set>

#include <doctest/doctest.h>  // last: its CHECK is the one that tests mean

namespace stampede::node {
namespace {

constexpr uint64_t kGap = bounds::sequence_gap_after_loss;
constexpr int64_t kDayNs = 24LL * 3600 * kSecond;
constexpr int64_t kYearNs = 365 * kDayNs;
constexpr int64_t kEpochNs = kSequenceEpochMs * kMillisecond;

TEST_SUITE("node/sequence_floor") {
  TEST_CASE("the base is the table's") {
    struct Row {
      uint64_t newest;
      int64_t wall_ns;
      uint64_t base;
    };
    for (const Row& row : std::array{
             Row{0, 0, kGap},                             // a clock that was never set
             Row{0, kEpochNs, kGap},                      //
             Row{0, -kYearNs, kGap},                      //
             Row{5, kEpochNs + kDayNs, kGap + 5},         // the gap is further than a day
             Row{5, kEpochNs + kYearNs, 31'536'000'000},  // a year is further than the gap
             Row{40'000'000'000, kEpochNs + kYearNs, 40'000'000'000 + kGap},
             Row{0, kEpochNs + 50 * kYearNs, kSequenceEnd / 2},  // and no further
             Row{0, INT64_MAX, kSequenceEnd / 2},
             Row{kSequenceEnd / 2, INT64_MAX, kSequenceEnd / 2 + kGap},
         }) {
      CAPTURE(row.newest);
      CAPTURE(row.wall_ns);
      CHECK(sequence_base(row.newest, row.wall_ns) == row.base);
      const auto floor = sequence_floor(row.newest, row.wall_ns);
      REQUIRE(floor);
      CHECK(*floor >= row.base);
      CHECK(*floor < row.base + (uint64_t{1} << 34));
    }
  }

  TEST_CASE("starts from one ground are far apart however little lies between them") {
    for (const uint64_t newest : {uint64_t{7}, uint64_t{500'000'000'000}})
      for (const int64_t apart_ns : {int64_t{1}, kMillisecond, kSecond, kDayNs, kYearNs / 8}) {
        CAPTURE(newest);
        CAPTURE(apart_ns);
        std::set<uint64_t> floors;
        for (int i = 0; i < 100; ++i)
          floors.insert(*sequence_floor(newest, kEpochNs + kYearNs + i * apart_ns));
        REQUIRE(floors.size() == 100);
        uint64_t before = 0;
        for (const uint64_t floor : floors) {
          CHECK(floor - before > 10'000);  // of some 10^10 divided by a hundred starts
          before = floor;
        }
      }
  }

  TEST_CASE("a loss a month leaves numbers for decades") {
    uint64_t newest = 0;
    int64_t wall_ns = kEpochNs;
    int losses = 0;
    for (; losses < 12 * 20; ++losses, wall_ns += kYearNs / 12) {
      const auto floor = sequence_floor(newest, wall_ns);
      REQUIRE(floor);
      newest = *floor + 1'000'000;
    }
    // With a clock that is half a century ahead, two hundred.
    newest = 0;
    for (losses = 0; const auto floor = sequence_floor(newest, kEpochNs + 50 * kYearNs + losses);
         ++losses)
      newest = *floor;
    CHECK(losses > 180);
  }

  TEST_CASE("numbers that are used up are said to be") {
    CHECK(sequence_floor(kSequenceEnd - 2 * kGap, kEpochNs));
    CHECK_FALSE(sequence_floor(kSequenceEnd - 2 * kGap + 1, kEpochNs));
    CHECK_FALSE(sequence_floor(kSequenceEnd, kEpochNs));
    CHECK(kSequenceEnd == (uint64_t{1} << 40) - 1);
  }
}

}  // namespace
}  // namespace stampede::node
