#include "base/line_limit.h"

#include <doctest/doctest.h>

namespace stampede::diag {
namespace {

constexpr int kOne = 0, kOther = 0;

TEST_SUITE("base/line_limit") {
  TEST_CASE(
      "a kind has its lines and the first one behind its window says how many were left out") {
    LineLimit limit;
    for (uint32_t i = 0; i < LineLimit::kLinesMax; ++i) CHECK(limit.admit(&kOne, 5) == 0);
    CHECK(!limit.admit(&kOne, 6));
    CHECK(!limit.admit(&kOne, 7));
    CHECK(limit.admit(&kOther, 7) == 0);
    CHECK(limit.admit(&kOne, 5 + LineLimit::kWindowNs) == 2);
    CHECK(limit.admit(&kOne, 6 + LineLimit::kWindowNs) == 0);
  }

  TEST_CASE("what no later line tells of is told once") {
    LineLimit limit;
    for (uint32_t i = 0; i < LineLimit::kLinesMax + 3; ++i) (void)limit.admit(&kOne, 0);
    CHECK(limit.take_left_out(1) == 0);
    CHECK(limit.take_left_out(LineLimit::kWindowNs) == 3);
    CHECK(limit.take_left_out(LineLimit::kWindowNs) == 0);
    CHECK(limit.admit(&kOne, LineLimit::kWindowNs) == 0);
  }
}

}  // namespace
}  // namespace stampede::diag
