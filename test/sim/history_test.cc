// What clients may be told one after the other.
#include "history.h"

#include <doctest/doctest.h>

namespace stampede::sim {
namespace {

const Shown kOrder{.id = "1", .user = "ann", .item = "item-0", .state = "reserved", .quantity = 1};

}  // namespace

TEST_SUITE("sim/history") {
  TEST_CASE("an id is given once") {
    History history;
    history.show(kOrder, true, "a", 1, 2);
    history.show(kOrder, true, "b", 3, 4);
    CHECK(!history.broken_promises().empty());
  }

  TEST_CASE("a list in front of an order may show it before its own answer comes") {
    History history;
    history.show(kOrder, false, "", 1, 3);
    history.show(kOrder, true, "a", 2, 3);
    CHECK(history.broken_promises().empty());
  }

  TEST_CASE("an order that is paid is not reserved again") {
    History history;
    Shown paid = kOrder;
    paid.state = "paid";
    history.show(paid, false, "", 1, 2);
    history.show(kOrder, false, "", 3, 4);
    CHECK(!history.broken_promises().empty());
  }

  TEST_CASE("the id of an order that was lost is not given again") {
    History history;
    history.show(kOrder, true, "a", 1, 2);
    history.lose(1);
    history.show(kOrder, false, "", 3, 4);
    CHECK(history.broken_promises().empty());
    history.show(kOrder, true, "b", 5, 6);
    CHECK(!history.broken_promises().empty());
  }

  TEST_CASE("what was told of an order that was lost holds no more") {
    History history;
    history.show(kOrder, true, "a", 1, 2);
    history.lose(1);
    history.deny("1");
    CHECK(history.find_order("1") == nullptr);
    CHECK(history.has_lost("ann", "item-0"));
    CHECK(!history.has_lost("ann", "item-1"));
    Shown next = kOrder;
    next.id = "2";
    history.show(next, true, "a", 3, 4);
    CHECK(history.broken_promises().empty());
  }
}

}  // namespace stampede::sim
