#include "stock/stream_state.h"

#include <doctest/doctest.h>

#include <random>
#include <string>

namespace stampede::stock {
namespace {

using namespace orderlog;

constexpr HashKey kKey{7};
constexpr Moment kNow{.wall_ns = kSecond, .boot_ns = 5 * kSecond};
constexpr OrderId kOrder = OrderId::make(0, 1, 3);

Reserve reserve(OrderId id, Quantity quantity = 1, std::string_view user = "u1",
                std::string_view key = "") {
  return {.order = id,
          .item = 0,
          .quantity = quantity,
          .amount = 100,
          .currency = {'C', 'N', 'Y'},
          .created_ms = 1'000,
          .pay_before_ms = 11'000,
          .body_hash = 1,
          .user = user,
          .key = key};
}
stock::StreamState with_units(Units units) {
  StreamState state(kKey, 100);
  REQUIRE(bool(state.apply(Grant{.item = 0, .accepted = units}, 1, kNow)));
  return state;
}
Payment payment(RecordType outcome, std::string_view id = "p1") {
  return {.outcome = outcome,
          .order = kOrder,
          .amount = 100,
          .currency = {'C', 'N', 'Y'},
          .payment_id = id};
}

// What is counted of a user, by looking at all orders.
User count_orders_of(const StreamState& state, std::string_view user) {
  User counted;
  for (uint32_t index = 0; index < state.orders_touched(); ++index) {
    const Order& order = state.order(index);
    if (!order.is_live || state.user_of(order) != user) continue;
    ++counted.orders;
    counted.open += order.state == OrderState::reserved;
    counted.lapsed += order.state == OrderState::expired;
    counted.paid += order.state == OrderState::paid;
  }
  return counted;
}
void check_user(const StreamState& state, std::string_view user) {
  const User expected = count_orders_of(state, user);
  const uint32_t index = state.find_user(state.user_hash(user), user);
  REQUIRE((index == kNone) == (expected.orders == 0));
  if (index == kNone) return;
  const User& counted = state.user(index);
  CHECK(counted.orders == expected.orders);
  CHECK(counted.open == expected.open);
  CHECK(counted.lapsed == expected.lapsed);
  CHECK(counted.paid == expected.paid);
  uint32_t open = 0;
  for (uint32_t at = counted.first_open; at != kNone; at = state.order(at).next_open) {
    CHECK(state.order(at).state == OrderState::reserved);
    CHECK(state.user_of(state.order(at)) == user);
    ++open;
  }
  CHECK(open == expected.open);
}

TEST_SUITE("stock/stream_state") {
  TEST_CASE("records that cannot follow what came before are refused and change nothing") {
    StreamState state = with_units(2);
    REQUIRE(bool(state.apply(reserve(kOrder), 2, kNow)));
    const auto refused = [&](const Record& record) {
      const ItemStock before = state.stock(0);
      const Status status = state.apply(record, 99, kNow);
      const ItemStock& after = state.stock(0);
      CHECK(before.pool() == after.pool());
      CHECK(before.paid == after.paid);
      CHECK(state.last_lsn() == 2);
      return !status;
    };
    CHECK(refused(reserve(kOrder)));                     // the number is taken
    CHECK(refused(reserve(OrderId::make(0, 2, 3), 2)));  // one unit is left
    CHECK(refused(reserve(OrderId::make(0, 2, 3), 0)));
    CHECK(refused(Grant{.item = 0, .accepted = 1}));          // backwards
    CHECK(refused(GiveBack{.item = 0, .returned = 2}));       // more than the pool
    CHECK(refused(Cancel{.order = OrderId::make(0, 9, 3)}));  // unknown
    CHECK(refused(payment(RecordType::late_paid)));           // not expired
    CHECK(refused(payment(RecordType::refund_due)));          // not paid
    CHECK(refused(Forget{.order = kOrder}));                  // still open
    CHECK(refused(Supply{.item = 0, .supplied = 1}));         // of an unknown item
    CHECK(refused(orderlog::Item{.item = 5, .code = "x"}));   // numbers are dense
  }

  TEST_CASE("a promised epoch never goes backwards") {
    StreamState state = with_units(1);
    REQUIRE(bool(state.apply(Epoch{.epoch = 7}, 2, kNow)));
    CHECK_FALSE(bool(state.apply(Epoch{.epoch = 6}, 3, kNow)));
    CHECK(state.promised_epoch() == 7);
    CHECK(bool(state.apply(Epoch{.epoch = 7}, 3, kNow)));
    CHECK(bool(state.apply(Epoch{.epoch = 8}, 4, kNow)));
    CHECK(state.promised_epoch() == 8);
  }

  TEST_CASE("a holding and a key are found by their texts also when hashes are the same") {
    StreamState state = with_units(3);
    const OrderHashes same{.user = 5, .key = 9};
    const OrderId other = OrderId::make(0, 2, 3), third = OrderId::make(0, 3, 3);
    REQUIRE(bool(state.apply(reserve(kOrder, 1, "u1", "k1"), same, 2, kNow)));
    REQUIRE(bool(state.apply(reserve(other, 1, "u2", "k1"), same, 3, kNow)));
    REQUIRE(bool(state.apply(reserve(third, 1, "u1", "k2"), same, 4, kNow)));
    CHECK(state.last_lsn() == 4);
    CHECK(state.find_holding(5, "u1", 0) != state.find_holding(5, "u2", 0));
    CHECK(state.holding(state.find_holding(5, "u1", 0)).units == 2);
    CHECK(state.find_holding(5, "u3", 0) == kNone);
    CHECK(state.find_holding(5, "u1", 1) == kNone);
    CHECK(state.order(state.find_by_key(same, "u1", "k1")).id == kOrder);
    CHECK(state.order(state.find_by_key(same, "u2", "k1")).id == other);
    CHECK(state.order(state.find_by_key(same, "u1", "k2")).id == third);
    CHECK(state.find_by_key(same, "u2", "k2") == kNone);
  }

  TEST_CASE("returns and supplies and withdrawals only grow and stay within what there is") {
    StreamState state = with_units(3);
    REQUIRE(bool(state.apply(GiveBack{.item = 0, .returned = 2}, 2, kNow)));
    CHECK_FALSE(bool(state.apply(GiveBack{.item = 0, .returned = 1}, 3, kNow)));
    REQUIRE(bool(state.apply(orderlog::Item{.item = 0, .code = "x"}, 3, kNow)));
    REQUIRE(bool(state.apply(Supply{.item = 0, .supplied = 9, .withdrawn = 4}, 4, kNow)));
    CHECK_FALSE(bool(state.apply(Supply{.item = 0, .supplied = 8, .withdrawn = 4}, 5, kNow)));
    CHECK_FALSE(bool(state.apply(Supply{.item = 0, .supplied = 9, .withdrawn = 3}, 5, kNow)));
    CHECK_FALSE(bool(state.apply(Supply{.item = 0, .supplied = 9, .withdrawn = 10}, 5, kNow)));
    CHECK_FALSE(bool(state.apply(Supply{.item = 1, .supplied = 1}, 5, kNow)));
    CHECK(state.items()[0].total() == 5);
    CHECK(state.find_op("op") == nullptr);
    REQUIRE(bool(state.apply(Admin{.op_id = "op"}, 5, kNow)));
    CHECK(state.find_op("op") != nullptr);
  }

  TEST_CASE("images hold no more than the stream and each order once") {
    StreamState state = with_units(3);
    const auto image = [](uint64_t sequence, Quantity quantity, OrderState as) {
      return OrderImage{.reserve = reserve(OrderId::make(0, sequence, 3), quantity),
                        .state = as,
                        .deadline_boot_ns = 77};
    };
    REQUIRE(bool(state.apply(image(1, 2, OrderState::paid), 0, kNow)));
    CHECK_FALSE(bool(state.apply(image(1, 1, OrderState::paid), 0, kNow)));
    CHECK_FALSE(bool(state.apply(image(2, 2, OrderState::reserved), 0, kNow)));
    REQUIRE(bool(state.apply(image(3, 2, OrderState::cancelled), 0, kNow)));
    CHECK(state.stock(0).pool() == 1);
    CHECK(state.holding(state.find_holding(state.user_hash("u1"), "u1", 0)).units == 2);
    CHECK_FALSE(bool(state.apply(SoldImage{.item = 0, .units = 2}, 0, kNow)));
    REQUIRE(bool(state.apply(image(4, 1, OrderState::reserved), 0, kNow)));
    CHECK(state.order(state.find_order(OrderId::make(0, 4, 3))).deadline_boot_ns == 77);
    StreamState later = with_units(3);
    REQUIRE(bool(later.apply(image(4, 1, OrderState::reserved), 0, Moment{.wall_ns = 1})));
    CHECK(later.order(later.find_order(OrderId::make(0, 4, 3))).deadline_boot_ns == 0);
  }

  TEST_CASE("a state that is full refuses orders and payments and says why") {
    StreamState state(kKey, 1);
    REQUIRE(bool(state.apply(Grant{.item = 0, .accepted = 5}, 1, kNow)));
    REQUIRE(bool(state.apply(reserve(kOrder), 2, kNow)));
    CHECK_FALSE(state.has_overflowed());
    CHECK_FALSE(bool(state.apply(reserve(OrderId::make(0, 2, 3)), 3, kNow)));
    CHECK(state.has_overflowed());
    CHECK(state.stock(0).reserved == 1);
    REQUIRE(bool(state.apply(payment(RecordType::payment_rejected, "p1"), 3, kNow)));
    REQUIRE(bool(state.apply(payment(RecordType::payment_rejected, "p2"), 4, kNow)));
    CHECK_FALSE(bool(state.apply(payment(RecordType::payment_rejected, "p3"), 5, kNow)));
  }

  TEST_CASE("one user has a holding of each item") {
    StreamState state(kKey, 200);
    for (ItemId item = 0; item < 150; ++item) {
      REQUIRE(bool(state.apply(Grant{.item = item, .accepted = 1}, item + 1, kNow)));
      Reserve one = reserve(OrderId::make(0, item + 1, 3));
      one.item = item;
      REQUIRE(bool(state.apply(one, 1'000 + item, kNow)));
    }
    const uint64_t hash = state.user_hash("u1");
    for (ItemId item = 0; item < 150; ++item)
      CHECK(state.holding(state.find_holding(hash, "u1", item)).item == item);
    for (ItemId item = 150; item < 1'000; ++item)
      CHECK(state.find_holding(hash, "u1", item) == kNone);
  }

  TEST_CASE("the newest order that holds units is shown also when an older one is paid late") {
    StreamState state = with_units(3);
    REQUIRE(bool(state.apply(reserve(kOrder), 2, kNow)));
    REQUIRE(bool(state.apply(Expire{.order = kOrder}, 3, kNow)));
    REQUIRE(bool(state.apply(reserve(OrderId::make(0, 2, 3)), 4, kNow)));
    REQUIRE(bool(state.apply(payment(RecordType::late_paid), 5, kNow)));
    const auto newest_active = [&] {
      return state.newest_active(state.find_holding(state.user_hash("u1"), "u1", 0));
    };
    CHECK(newest_active() == state.find_order(OrderId::make(0, 2, 3)));
    REQUIRE(bool(state.apply(Cancel{.order = OrderId::make(0, 2, 3)}, 6, kNow)));
    CHECK(newest_active() == state.find_order(kOrder));
  }

  TEST_CASE("an order that holds units is found whatever the numbers of later ones are") {
    StreamState state = with_units(3);
    const OrderId high = OrderId::make(0, 9, 3), low = OrderId::make(0, 2, 3);
    REQUIRE(bool(state.apply(reserve(high), 2, kNow)));
    REQUIRE(bool(state.apply(reserve(low, 1), 3, kNow)));
    const uint32_t holding = state.find_holding(state.user_hash("u1"), "u1", 0);
    CHECK(state.newest_active(holding) == state.find_order(low));
    REQUIRE(bool(state.apply(Cancel{.order = high}, 4, kNow)));
    CHECK(state.newest_active(holding) == state.find_order(low));
    CHECK(state.holding(holding).units == 1);
  }

  TEST_CASE("a cancel walks past no orders that were cancelled before") {
    StreamState state = with_units(2);
    REQUIRE(bool(state.apply(reserve(kOrder), 2, kNow)));
    const uint32_t held = state.find_order(kOrder);
    const uint32_t holding = state.find_holding(state.user_hash("u1"), "u1", 0);
    for (uint64_t i = 2; i <= 50; ++i) {
      const OrderId id = OrderId::make(0, i, 3);
      REQUIRE(bool(state.apply(reserve(id), i + 10, kNow)));
      REQUIRE(bool(state.apply(Cancel{.order = id}, i + 10, kNow)));
      // The search has not begun: it stands at the newest order.
      CHECK(state.holding(holding).active_from == state.find_order(id));
    }
    CHECK(state.newest_active(holding) == held);
    CHECK(state.holding(holding).active_from == held);  // and is not made again
    // An order that was searched from is forgotten: the next one in its cell is another holding's.
    const OrderId last = OrderId::make(0, 51, 3);
    REQUIRE(bool(state.apply(reserve(last), 70, kNow)));
    REQUIRE(bool(state.apply(Cancel{.order = last}, 71, kNow)));
    REQUIRE(bool(state.apply(Forget{.order = last}, 72, kNow)));
    REQUIRE(bool(state.apply(reserve(OrderId::make(0, 52, 3), 1, "u2"), 73, kNow)));
    CHECK(state.newest_active(holding) == held);
  }

  TEST_CASE("payments of an order are decided once and follow its state") {
    StreamState state = with_units(2);
    REQUIRE(bool(state.apply(reserve(kOrder), 2, kNow)));
    REQUIRE(bool(state.apply(payment(RecordType::payment_rejected, "p0"), 3, kNow)));
    CHECK(state.order(0).refund_due == 0);
    REQUIRE(bool(state.apply(payment(RecordType::paid, "p1"), 4, kNow)));
    CHECK_FALSE(bool(state.apply(payment(RecordType::paid, "p1"), 5, kNow)));
    CHECK_FALSE(bool(state.apply(payment(RecordType::paid, "p2"), 5, kNow)));
    CHECK_FALSE(bool(state.apply(payment(RecordType::late_paid, "p2"), 5, kNow)));
    CHECK_FALSE(bool(state.apply(Cancel{.order = kOrder}, 5, kNow)));
    CHECK_FALSE(bool(state.apply(Expire{.order = kOrder}, 5, kNow)));
    CHECK(state.find_payment(0, "p0") != kNone);
    CHECK(state.find_payment(0, "p0") != state.find_payment(0, "p1"));
    CHECK(state.find_payment(0, "p2") == kNone);
    CHECK(state.stock(0).paid == 1);
    REQUIRE(bool(state.apply(Forget{.order = kOrder}, 5, kNow)));
    CHECK(state.stock(0).paid == 1);
    CHECK(state.stock(0).forgotten == 1);
  }

  TEST_CASE("each transition moves its units and no others") {
    StreamState state = with_units(3);
    REQUIRE(bool(state.apply(reserve(kOrder, 2), 2, kNow)));
    CHECK(state.stock(0).reserved == 2);
    CHECK(state.stock(0).pool() == 1);
    REQUIRE(bool(state.apply(Expire{.order = kOrder}, 3, kNow)));
    CHECK(state.stock(0).pool() == 3);
    REQUIRE(bool(state.apply(payment(RecordType::late_paid), 4, kNow)));
    CHECK(state.stock(0).paid == 2);
    CHECK(state.stock(0).pool() == 1);
    CHECK_FALSE(bool(state.apply(payment(RecordType::refund_due), 5, kNow)));  // the same payment
    REQUIRE(bool(state.apply(payment(RecordType::refund_due, "p2"), 5, kNow)));
    CHECK(state.order(state.find_order(kOrder)).refund_due == 100);
    CHECK(state.order(state.find_order(kOrder)).last_lsn == 5);
    REQUIRE(bool(state.apply(GiveBack{.item = 0, .returned = 1}, 6, kNow)));
    CHECK(state.stock(0).pool() == 0);
  }

  TEST_CASE("a deadline of an earlier boot is not compared with this one's clock") {
    StreamState state = with_units(2);
    REQUIRE(bool(state.apply(reserve(kOrder), 2, kNow)));
    REQUIRE(
        bool(state.apply(reserve(OrderId::make(0, 2, 3)), 3, Moment{.wall_ns = 1, .boot_ns = 0})));
    CHECK(state.order(state.find_order(kOrder)).deadline_boot_ns == 15 * kSecond);
    CHECK(state.order(state.find_order(OrderId::make(0, 2, 3))).deadline_boot_ns == 0);
  }

  TEST_CASE("forgetting frees every cell so that memory does not grow") {
    StreamState state = with_units(1);
    for (uint64_t i = 1; i <= 1'000; ++i) {
      const OrderId id = OrderId::make(0, i, 3);
      const std::string user = "user-" + std::to_string(i), key = "key-" + std::to_string(i);
      REQUIRE(bool(state.apply(reserve(id, 1, user, key), 10 * i, kNow)));
      REQUIRE(bool(state.apply(Cancel{.order = id}, 10 * i + 1, kNow)));
      Payment refund = payment(RecordType::refund_due, "pay-" + std::to_string(i));
      const std::string payment_id = "pay-" + std::to_string(i);
      refund.order = id;
      refund.payment_id = payment_id;
      REQUIRE(bool(state.apply(refund, 10 * i + 2, kNow)));
      REQUIRE(bool(state.apply(Forget{.order = id}, 10 * i + 3, kNow)));
      CHECK(state.find_order(id) == kNone);
      CHECK(state.find_by_key({state.user_hash(user), state.key_hash(key)}, user, key) == kNone);
      CHECK(state.find_holding(state.user_hash(user), user, 0) == kNone);
    }
    CHECK(state.orders_live() == 0);
    CHECK(state.orders_touched() == 1);
    CHECK(state.sequence_max() == 1'000);
  }

  TEST_CASE(
      "random histories keep every index and every list of a user in step with a plain model") {
    const unsigned seed = std::random_device{}();
    INFO("seed ", seed);
    std::mt19937 random(seed);
    StreamState state(kKey, 4'000);
    // More than can be sold: units of forgotten orders stay sold, and without any the histories would end.
    REQUIRE(bool(state.apply(Grant{.item = 0, .accepted = 20'000}, 1, kNow)));
    struct Known {
      OrderId id;
      std::string user, key;
      OrderState state;
      Quantity quantity;
    };
    std::vector<Known> known;
    Lsn lsn = 1;
    for (uint64_t step = 1; step < 6'000; ++step) {
      const unsigned what = random() % 10;
      if (what < 4 || known.empty()) {
        Known one{OrderId::make(0, step, 3), "u" + std::to_string(random() % 50),
                  "k" + std::to_string(step), OrderState::reserved,
                  1 + static_cast<Quantity>(random() % 3)};
        if (state.stock(0).pool() < one.quantity) continue;
        REQUIRE(bool(state.apply(reserve(one.id, one.quantity, one.user, one.key), ++lsn, kNow)));
        known.push_back(one);
      } else {
        const size_t at = random() % known.size();
        Known& one = known[at];
        Payment pays = payment(RecordType::paid);
        pays.order = one.id;
        if (one.state == OrderState::reserved && what < 6) {
          REQUIRE(bool(state.apply(Cancel{.order = one.id}, ++lsn, kNow)));
          one.state = OrderState::cancelled;
        } else if (one.state == OrderState::reserved) {
          REQUIRE(bool(state.apply(pays, ++lsn, kNow)));
          one.state = OrderState::paid;
        } else {
          REQUIRE(bool(state.apply(Forget{.order = one.id}, ++lsn, kNow)));
          known.erase(known.begin() + at);
        }
      }
    }
    for (unsigned u = 0; u < 50; ++u) {
      const std::string user = "u" + std::to_string(u);
      std::vector<Known> mine;
      for (const Known& one : known)
        if (one.user == user) mine.push_back(one);
      const uint32_t holding = state.find_holding(state.user_hash(user), user, 0);
      REQUIRE((holding == kNone) == mine.empty());
      if (mine.empty()) continue;
      uint32_t units = 0, index = state.holding(holding).newest, newest_active = kNone;
      for (auto one = mine.rbegin(); one != mine.rend(); ++one, index = state.order(index).older) {
        REQUIRE(index != kNone);
        CHECK(state.order(index).id == one->id);
        CHECK(state.order(index).state == one->state);
        CHECK(state.find_by_key({state.user_hash(user), state.key_hash(one->key)}, user,
                                one->key) == index);
        if (!state.order(index).holds_units()) continue;
        units += one->quantity;
        if (newest_active == kNone) newest_active = index;
      }
      CHECK(index == kNone);
      CHECK(state.holding(holding).units == units);
      CHECK(state.newest_active(holding) == newest_active);
    }
  }

  TEST_CASE("what is counted of a user follows from the orders in memory whichever way they came") {
    const unsigned seed = std::random_device{}();
    INFO("seed ", seed);
    std::mt19937 random(seed);
    StreamState state(kKey, 4'000);
    Lsn lsn = 0;
    for (ItemId item = 0; item < 3; ++item)
      REQUIRE(bool(state.apply(Grant{.item = item, .accepted = 20'000}, ++lsn, kNow)));
    std::vector<OrderId> known;
    for (uint64_t step = 1; step < 5'000; ++step) {
      if (known.empty() || random() % 10 < 4) {
        known.push_back(OrderId::make(0, step, 3));
        const std::string user = "u" + std::to_string(random() % 20);
        Reserve one = reserve(known.back(), 1, user);
        one.item = random() % 3;
        one.pay_before_ms = 10'000 + static_cast<int64_t>(random() % 1'000);
        REQUIRE(bool(state.apply(one, ++lsn, kNow)));
        continue;
      }
      const size_t at = random() % known.size();
      const OrderId id = known[at];
      const std::string payment_id = "p" + std::to_string(step);
      Payment pays = payment(RecordType::paid, payment_id);
      pays.order = id;
      const Record changes[] = {Cancel{.order = id}, Expire{.order = id}, pays,
                                Forget{.order = id}};
      pays.outcome = RecordType::late_paid;
      const unsigned what = random() % 5;
      // Most are refused: then nothing may be counted either.
      const bool is_done = bool(what < 4 ? state.apply(changes[what], lsn + 1, kNow)
                                         : state.apply(pays, lsn + 1, kNow));
      lsn += is_done;
      if (is_done && what == 3) known.erase(known.begin() + static_cast<long>(at));
    }
    StreamState again(kKey, 4'000);
    for (ItemId item = 0; item < 3; ++item)
      REQUIRE(bool(again.apply(Grant{.item = item, .accepted = 20'000}, lsn, {})));
    for (const OrderId id : known) {
      const Order& order = state.order(state.find_order(id));
      Reserve one = reserve(id, 1, state.user_of(order));
      one.item = state.item_of(order);
      REQUIRE(bool(again.apply(OrderImage{.reserve = one, .state = order.state}, lsn, {})));
    }
    for (unsigned u = 0; u < 20; ++u) {
      check_user(state, "u" + std::to_string(u));
      check_user(again, "u" + std::to_string(u));
      CHECK(count_orders_of(again, "u" + std::to_string(u)).open ==
            count_orders_of(state, "u" + std::to_string(u)).open);
    }
    for (const OrderId id : known)
      if (state.order(state.find_order(id)).state == OrderState::reserved)
        REQUIRE(bool(state.apply(Cancel{.order = id}, ++lsn, kNow)));
    for (const OrderId id : known) REQUIRE(bool(state.apply(Forget{.order = id}, ++lsn, kNow)));
    CHECK(state.users() == 0);
  }
}

}  // namespace
}  // namespace stampede::stock
