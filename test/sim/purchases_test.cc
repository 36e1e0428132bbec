// What the purchase limit is held against.
#include "purchases.h"

#include "base/clock.h"

#include <doctest/doctest.h>  // last: its CHECK is the one that tests mean

namespace stampede::sim {
namespace {

struct Shop {
  Plan plan{.per_user_limit = 3, .pay_window_s = 10};
  History history;
  Purchases purchases{plan, history};

  void send(const std::string& key, uint32_t quantity, int64_t at_s) {
    purchases.note_sent({user, item, key, quantity, at_s * kSecond});
  }
  // An answer to what was sent at `sent_s`.
  void give(const std::string& key, uint32_t quantity, int64_t sent_s, int64_t at_s,
            const std::string& state = "reserved") {
    history.show({.id = key, .user = user, .item = item, .state = state, .quantity = quantity},
                 state == "reserved", "", sent_s * kSecond, at_s * kSecond);
    if (state == "reserved")
      purchases.take_order({user, item, key, quantity, sent_s * kSecond}, true, at_s * kSecond);
  }
  void refuse(const std::string& key, uint32_t quantity, int64_t sent_s) {
    purchases.take_limit_reached({user, item, key, quantity, sent_s * kSecond});
  }
  [[nodiscard]] bool is_broken() const { return !history.broken_promises().empty(); }

  const std::string user = "ann", item = "item-0";
};

}  // namespace

TEST_SUITE("sim/purchases") {
  TEST_CASE("an order beyond the limit is a broken promise") {
    Shop shop;
    shop.send("a", 2, 1);
    shop.give("a", 2, 1, 2);
    shop.send("b", 1, 3);
    shop.give("b", 1, 3, 4);
    CHECK(!shop.is_broken());
    shop.send("c", 1, 5);
    shop.give("c", 1, 5, 6);
    CHECK(shop.is_broken());
  }

  TEST_CASE("a reservation that may have expired or been cancelled is not held against a buyer") {
    Shop shop;
    shop.send("a", 3, 1);
    shop.give("a", 3, 1, 2);
    shop.send("b", 3, 11);
    shop.give("b", 3, 11, 12);
    shop.history.find_order("b")->may_be_cancelled = true;
    shop.send("c", 3, 13);
    shop.give("c", 3, 13, 14);
    CHECK(!shop.is_broken());
  }

  TEST_CASE("a paid order is held for ever") {
    Shop shop;
    shop.send("a", 3, 1);
    shop.give("a", 3, 1, 2);
    shop.give("a", 3, 3, 4, "paid");
    shop.send("b", 1, 100);
    shop.give("b", 1, 100, 101);
    CHECK(shop.is_broken());
  }

  TEST_CASE("the limit is reached by what may be held") {
    Shop shop;
    shop.send("a", 3, 1);  // no answer
    shop.send("b", 1, 2);
    shop.refuse("b", 1, 2);
    CHECK(!shop.is_broken());
  }

  TEST_CASE("a cancelled order reaches no limit") {
    Shop shop;
    shop.send("a", 3, 1);
    shop.give("a", 3, 1, 2);
    shop.give("a", 3, 3, 4, "cancelled");
    shop.send("b", 1, 5);
    shop.refuse("b", 1, 5);
    CHECK(shop.is_broken());
  }

  TEST_CASE("what was refused for good is not held but for a copy of it") {
    Shop shop;
    shop.send("a", 3, 1);
    shop.purchases.take_refusal({shop.user, shop.item, "a", 3, kSecond});
    shop.send("b", 3, 2);
    shop.send("b", 3, 3);
    shop.purchases.take_refusal({shop.user, shop.item, "b", 3, 3 * kSecond});
    shop.send("c", 1, 4);
    shop.refuse("c", 1, 4);
    CHECK(!shop.is_broken());

    Shop other;
    other.send("a", 3, 1);
    other.purchases.take_refusal({other.user, other.item, "a", 3, kSecond});
    other.send("c", 1, 4);
    other.refuse("c", 1, 4);
    CHECK(other.is_broken());
  }
}

}  // namespace stampede::sim
