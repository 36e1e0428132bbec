#include "stock/lines.h"

#include <doctest/doctest.h>

#include <string>

#include "../base/death.h"

namespace stampede::stock {
namespace {

OrderRequest request(ItemId item, Quantity quantity, const std::string& user = "u") {
  OrderRequest made;
  made.item = item;
  made.quantity = quantity;
  made.user = std::string_view(user);
  return made;
}
Moment at(int64_t boot_ns) {
  return {.boot_ns = boot_ns};
}

TEST_SUITE("stock/lines") {
  TEST_CASE("each item has a line of its own and the first come is the first served") {
    Lines lines;
    REQUIRE(lines.push(request(0, 2, "a"), at(1)));
    REQUIRE(lines.push(request(3, 5, "b"), at(2)));
    REQUIRE(lines.push(request(0, 1, "c"), at(3)));
    REQUIRE(lines.push(request(0, 4, "d"), at(4)));
    CHECK(lines.size() == 4);
    CHECK(lines.units(0) == 7);
    CHECK(lines.units(3) == 5);
    CHECK(lines.is_empty(1));
    CHECK(lines.is_empty(99));
    CHECK(lines.head_since_boot_ns(0) == 1);
    CHECK(lines.head(0).quantity == 2);
    CHECK(lines.pop(0).user.view() == "a");
    CHECK(lines.units(0) == 5);
    CHECK(lines.head_since_boot_ns(0) == 3);
    CHECK(lines.pop(0).user.view() == "c");
    CHECK(lines.pop(0).user.view() == "d");
    CHECK(lines.is_empty(0));
    CHECK(lines.size() == 1);
    REQUIRE(lines.push(request(0, 1, "e"), at(5)));  // not behind an end that has left
    CHECK(lines.pop(0).user.view() == "e");
    CHECK(lines.is_empty(0));
  }

  TEST_CASE("items with a line are listed once until they are dropped") {
    Lines lines;
    REQUIRE(lines.push(request(7, 1), at(1)));
    REQUIRE(lines.push(request(7, 1), at(1)));
    REQUIRE(lines.push(request(2, 1), at(1)));
    REQUIRE(lines.items().size() == 2);
    (void)lines.pop(7);
    (void)lines.pop(7);
    REQUIRE(lines.push(request(7, 1), at(1)));  // before it was dropped
    CHECK(lines.items().size() == 2);
    (void)lines.pop(7);
    lines.drop_empty();
    REQUIRE(lines.items().size() == 1);
    CHECK(lines.items()[0] == 2);
    REQUIRE(lines.push(request(7, 1), at(1)));
    CHECK(lines.items().size() == 2);
  }

  TEST_CASE("all lines together are bounded") {
    Lines lines;
    for (uint32_t i = 0; i < bounds::orders_waiting_max; ++i)
      REQUIRE(lines.push(request(i % 3, 1), at(1)));
    CHECK_FALSE(lines.push(request(0, 1), at(1)));
    CHECK(lines.size() == bounds::orders_waiting_max);
    (void)lines.pop(1);
    CHECK(lines.push(request(0, 1), at(1)));
  }

  TEST_CASE("an empty line has no head") {
    Lines lines;
    CHECK(death_of([&] { (void)lines.pop(0); }).signal == SIGABRT);
    CHECK(death_of([&] { (void)lines.head(0); }).signal == SIGABRT);
  }
}

}  // namespace
}  // namespace stampede::stock
