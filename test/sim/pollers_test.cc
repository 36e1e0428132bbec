// What somebody may be shown of an order.
#include "pollers.h"

#include <doctest/doctest.h>

namespace stampede::sim {
namespace {

const KnownState kReserved{.state = "reserved", .quantity = 1};
const KnownState kExpired{.state = "expired", .quantity = 1};
const KnownState kPaid{.state = "paid", .quantity = 1};
const KnownState kCancelled{.state = "cancelled", .quantity = 1};

}  // namespace

TEST_SUITE("sim/pollers") {
  TEST_CASE("what is shown of an order was so between the asking and the answer") {
    CHECK(why_not_between(kReserved, kReserved, kPaid).empty());
    CHECK(why_not_between(kReserved, kPaid, kPaid).empty());
    // Both happened in between.
    CHECK(why_not_between(kReserved, kExpired, kPaid).empty());
    // Nobody knows what it was, or what it is.
    CHECK(why_not_between(std::nullopt, kCancelled, std::nullopt).empty());
  }

  TEST_CASE("nobody is shown what was so before he asked, or what has not happened") {
    CHECK_FALSE(why_not_between(kPaid, kReserved, kPaid).empty());
    CHECK_FALSE(why_not_between(kReserved, kPaid, kReserved).empty());
    CHECK_FALSE(why_not_between(kReserved, kCancelled, kPaid).empty());
  }

  TEST_CASE("a refund is shown from when it is due on") {
    KnownState refunded = kPaid;
    refunded.refund_due = 500;
    CHECK(why_not_between(kPaid, refunded, refunded).empty());
    CHECK(why_not_between(kPaid, kPaid, refunded).empty());
    CHECK_FALSE(why_not_between(refunded, kPaid, refunded).empty());
    CHECK_FALSE(why_not_between(kPaid, refunded, kPaid).empty());
  }
}

}  // namespace stampede::sim
