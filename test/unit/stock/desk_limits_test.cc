// What new orders are held to beside the terms of the item, with the bypasses that come to mind.
#include "stock/desk.h"

#include <doctest/doctest.h>

#include <map>
#include <set>
#include <vector>

#include "desk_fixture.h"
#include "stock/record_values.h"

namespace stampede::stock {
namespace {

bool is_limited(const OrderAnswer& answer, Limit limit) {
  return answer.verdict == Verdict::rate_limited && answer.limit == limit;
}

// A second item: what is bought of another one.
void add_item(Fixture& f, ItemId id, Units stock, uint32_t order_rate = 0,
              int64_t pay_window_s = 10) {
  ItemTerms terms = f.catalog.terms(0);
  terms.id = id;
  terms.code = std::string_view(std::string("item-") + std::to_string(id));
  terms.order_rate = order_rate;
  terms.pay_window_s = pay_window_s;
  f.catalog.upsert(terms);
  const StreamCount counts[1] = {};
  REQUIRE(f.book.start(id, stock, 0, counts));
}
OrderAnswer buy_of(Fixture& f, ItemId item, const std::string& user) {
  OrderRequest request = f.create(user);
  request.item = item;
  return f.ask(request);
}
void set_order_rate(Fixture& f, uint32_t per_second) {
  ItemTerms terms = f.catalog.terms(0);
  terms.order_rate = per_second;
  f.catalog.upsert(terms);
}

orderlog::OrderImage image_of(const StreamState& state, uint32_t index) {
  const Order& order = state.order(index);
  return {.reserve = {.order = order.id,
                      .item = state.item_of(order),
                      .quantity = order.quantity,
                      .amount = order.amount,
                      .currency = order.currency,
                      .created_ms = order.created_ms,
                      .pay_before_ms = order.pay_before_ms(),
                      .body_hash = body_hash_of(state.item_of(order), order.quantity),
                      .user = state.user_of(order),
                      .key = state.text(order.key())},
          .state = order.state,
          .last_lsn = order.last_lsn};
}

// The moment that a refusal names is the first at which the request passes.
void check_true_wait(Fixture& f, const OrderRequest& request, Limit limit) {
  const OrderAnswer refused = f.ask(request);
  REQUIRE(is_limited(refused, limit));
  REQUIRE(refused.retry_after_ms > 0);
  if (refused.retry_after_ms > 1) {
    f.pass(refused.retry_after_ms - 1);
    CHECK(is_limited(f.ask(request), limit));
    f.pass(1);
  } else {
    f.pass(1);
  }
  CHECK(f.ask(request).verdict == Verdict::created);
}

TEST_SUITE("stock/desk_limits") {
  // ---- the rate of a user ----

  TEST_CASE("a user has so many order requests in a window whatever key or item or outcome") {
    Fixture f(100);
    add_item(f, 1, 0);
    f.desk->set_limits({.user_requests = 3, .user_window_ms = 60'000});
    CHECK(f.buy("u1", 1, "k1").verdict == Verdict::created);
    CHECK(buy_of(f, 1, "u1").verdict == Verdict::sold_out);
    const OrderAnswer third = f.buy("u1", 1, "k3");
    CHECK(third.verdict == Verdict::created);
    CHECK(f.ask(f.about(RequestKind::cancel, third.order.id, "u1")).verdict == Verdict::ok);
    for (const std::string key : {"", "k4", "k5"})
      CHECK(is_limited(f.buy("u1", 1, key), Limit::user));
    CHECK(is_limited(buy_of(f, 1, "u1"), Limit::user));
    CHECK(f.buy("u2").verdict == Verdict::created);
  }

  TEST_CASE("asking for a link counts like an order and the wait is true") {
    Fixture f(100);
    f.desk->set_limits({.user_requests = 2, .user_window_ms = 60'000});
    OrderRequest link = f.create("u1");
    link.kind = RequestKind::link;
    const OrderAnswer counted = f.ask(link);
    CHECK(counted.verdict == Verdict::ok);
    CHECK(std::string_view(counted.order.user) == "u1");
    CHECK(counted.order.item == 0);
    CHECK(f.buy("u1").verdict == Verdict::created);
    CHECK(is_limited(f.ask(link), Limit::user));
    check_true_wait(f, f.create("u1"), Limit::user);
  }

  TEST_CASE("the wait of a user over the rate is true") {
    for (int i = 0; i < 20; ++i) {
      Fixture f(100);
      f.desk->set_limits({.user_requests = 2, .user_window_ms = 1'000});
      f.pass(i * 37);
      const std::string user = "u" + std::to_string(i);
      f.buy(user);
      f.buy(user);
      // A window may have ended between the two.
      if (f.buy(user).verdict == Verdict::created) continue;
      check_true_wait(f, f.create(user), Limit::user);
    }
  }

  TEST_CASE("a winner who asks again is never over a limit and costs himself nothing") {
    Fixture f(100, 1);
    f.desk->set_limits(
        {.user_requests = 1, .user_window_ms = 60'000, .open_per_user = 1, .order_rate = 1});
    const OrderAnswer won = f.buy("u1", 1, "k1");
    REQUIRE(won.verdict == Verdict::created);
    for (int i = 0; i < 10; ++i) {
      CHECK(f.buy("u1", 1, "k1").verdict == Verdict::replayed);
      CHECK(f.buy("u1", 1, "k2").verdict == Verdict::limit_reached);
      CHECK(f.ask(f.about(RequestKind::read, won.order.id, "u1")).verdict == Verdict::ok);
    }
    for (const NewOrders level : {NewOrders::of_known_users, NewOrders::of_nobody}) {
      f.desk->set_limits(
          {.user_requests = 1, .user_window_ms = 60'000, .open_per_user = 1, .new_orders = level});
      CHECK(f.buy("u1", 1, "k1").verdict == Verdict::replayed);
      CHECK(f.buy("u1", 1, "k2").verdict == Verdict::limit_reached);
    }
    CHECK(f.ask(f.payment(won.order.id, "p1")).verdict == Verdict::ok);
  }

  TEST_CASE("only what comes as far as the limit counts") {
    Fixture f(100);
    f.desk->set_limits({.user_requests = 1, .user_window_ms = 60'000});
    ItemTerms terms = f.catalog.terms(0);
    terms.is_paused = true;
    f.catalog.upsert(terms);
    for (int i = 0; i < 5; ++i) CHECK(f.buy("u1").verdict == Verdict::sale_paused);
    terms.is_paused = false;
    f.catalog.upsert(terms);
    OrderRequest blocked = f.create("u1");
    blocked.objection = Verdict::blocked;
    for (int i = 0; i < 5; ++i) CHECK(f.ask(blocked).verdict == Verdict::blocked);
    CHECK(f.buy("u1").verdict == Verdict::created);
    CHECK(is_limited(f.buy("u1"), Limit::user));
  }

  TEST_CASE("a request that waited for units counts once") {
    Fixture f(100);
    f.desk->set_limits({.user_requests = 2, .user_window_ms = 60'000});
    f.handle(f.create("u1"));  // nothing is leased yet
    REQUIRE(f.desk->waiting() == 1);
    f.turn();
    CHECK(f.answers.take().verdict == Verdict::created);
    CHECK(f.buy("u1").verdict == Verdict::created);
    CHECK(is_limited(f.buy("u1"), Limit::user));
  }

  // ---- unpaid reservations ----

  TEST_CASE("a user holds no more unpaid reservations than the limit over all items") {
    Fixture f(100);
    add_item(f, 1, 100);
    f.desk->set_limits({.open_per_user = 2});
    const OrderAnswer first = f.buy("u1", 1, "k1");
    const OrderAnswer second = buy_of(f, 1, "u1");
    REQUIRE(second.verdict == Verdict::created);
    CHECK(is_limited(f.buy("u1", 1, "k2"), Limit::open));
    CHECK(is_limited(buy_of(f, 1, "u1"), Limit::open));
    CHECK(f.buy("u2").verdict == Verdict::created);
    // Paid or cancelled ones are not open.
    CHECK(f.ask(f.payment(first.order.id, "p1")).verdict == Verdict::ok);
    CHECK(f.buy("u1").verdict == Verdict::created);
    CHECK(is_limited(f.buy("u1"), Limit::open));
    CHECK(f.ask(f.about(RequestKind::cancel, second.order.id, "u1")).verdict == Verdict::ok);
    CHECK(f.buy("u1").verdict == Verdict::created);
    CHECK(is_limited(f.buy("u1"), Limit::open));
  }

  TEST_CASE("requests that wait in line together reserve no more than the limit") {
    Fixture f(100);
    f.desk->set_limits({.open_per_user = 1});
    for (int i = 0; i < 5; ++i) f.handle(f.create("u1", 1, "k" + std::to_string(i)));
    REQUIRE(f.desk->waiting() == 5);
    f.turn();
    int created = 0;
    for (const OrderAnswer& answer : f.answers.answers) {
      created += answer.verdict == Verdict::created;
      CHECK((answer.verdict == Verdict::created || is_limited(answer, Limit::open)));
    }
    CHECK(created == 1);
  }

  TEST_CASE("the wait of a user who holds too many is until one expires") {
    Fixture f(100);
    f.desk->set_limits({.open_per_user = 2});
    REQUIRE(f.buy("u1").verdict == Verdict::created);
    f.pass(3'000);
    REQUIRE(f.buy("u1").verdict == Verdict::created);
    f.pass(1'234);
    check_true_wait(f, f.create("u1"), Limit::open);
    CHECK(is_limited(f.buy("u1"), Limit::open));
  }

  TEST_CASE("below a limit that was lowered the wait is until enough have expired") {
    Fixture f(100);
    OrderId newest;
    for (int i = 0; i < 5; ++i) {
      const OrderAnswer answer = f.buy("u1");
      REQUIRE(answer.verdict == Verdict::created);
      newest = answer.order.id;
      f.pass(1'000);
    }
    REQUIRE(f.buy("payer").verdict == Verdict::created);
    f.desk->set_limits({.open_per_user = 4});
    const OrderAnswer four = f.buy("u1");
    REQUIRE(is_limited(four, Limit::open));
    // Two must end: the second does 10 s after it began.
    CHECK(four.retry_after_ms >= 6'000);
    CHECK(four.retry_after_ms <= 6'010);
    f.desk->set_limits({.open_per_user = 5});
    CHECK(f.buy("u1").retry_after_ms <= 5'010);
    // One that is cancelled counts at once: then the first to end is enough.
    f.desk->set_limits({.open_per_user = 4});
    CHECK(f.buy("u1").retry_after_ms >= 6'000);
    REQUIRE(f.ask(f.about(RequestKind::cancel, newest, "u1")).verdict == Verdict::ok);
    CHECK(f.buy("u1").retry_after_ms <= 5'010);
  }

  TEST_CASE("what is open is known behind a restart and in another shard") {
    Fixture f(100);
    f.desk->set_limits({.open_per_user = 2});
    f.buy("u1");
    const OrderAnswer second = f.buy("u1");
    f.buy("u2");
    // As a snapshot has it, or a change of shards.
    StreamState again(Fixture::kKey, Fixture::kOrdersMax);
    REQUIRE(again.apply(orderlog::Grant{.item = 0, .accepted = 100}, 1, {}));
    const Lsn lsn = f.journal.last;
    for (uint32_t index = 0; index < f.state.orders_touched(); ++index)
      REQUIRE(again.apply(image_of(f.state, index), lsn, {}));
    TestJournal journal;
    journal.last = lsn;
    Desk desk({}, again, f.catalog, journal, f.answers, f.rates, 100, f.now);
    desk.release(lsn);
    desk.set_limits({.open_per_user = 2});
    desk.handle(f.create("u1"), f.now);
    const OrderAnswer refused = f.answers.take();
    CHECK(is_limited(refused, Limit::open));
    // Each reservation has its whole window again.
    CHECK(refused.retry_after_ms >= 10'000);
    CHECK(refused.retry_after_ms <= 10'010);
    desk.handle(f.about(RequestKind::cancel, second.order.id, "u1"), f.now);
    desk.release(journal.last);
    CHECK(f.answers.take().verdict == Verdict::ok);
    desk.handle(f.create("u1"), f.now);
    desk.release(journal.last);
    CHECK(f.answers.take().verdict == Verdict::created);
  }

  // ---- the pause behind reservations that expired ----

  TEST_CASE("whoever lets reservations expire again and again waits longer each time") {
    Fixture f(100);
    f.desk->set_limits({.open_per_user = 1});
    const auto lapse = [&] {
      REQUIRE(f.buy("u1").verdict == Verdict::created);
      f.pass(10'020);
    };
    lapse();
    lapse();
    lapse();
    for (const int64_t windows : {1, 2, 4, 8, 16, 16}) {
      CAPTURE(windows);
      const OrderAnswer paused = f.buy("u1");
      REQUIRE(is_limited(paused, Limit::open));
      CHECK(paused.retry_after_ms <= windows * 10'000);
      CHECK(paused.retry_after_ms >= windows * 10'000 - 30);
      f.pass(paused.retry_after_ms - 1);
      CHECK(is_limited(f.buy("u1"), Limit::open));
      f.pass(1);
      lapse();
    }
    CHECK(f.buy("u2").verdict == Verdict::created);
  }

  TEST_CASE("an order that is paid makes up for one that lapsed") {
    Fixture f(100);
    f.desk->set_limits({.open_per_user = 5});
    const OrderAnswer paid = f.buy("u1");
    REQUIRE(f.ask(f.payment(paid.order.id, "p1")).verdict == Verdict::ok);
    for (int i = 0; i < 3; ++i) REQUIRE(f.buy("u1").verdict == Verdict::created);
    f.pass(10'020);
    const OrderAnswer late = f.buy("u1");
    REQUIRE(late.verdict == Verdict::created);
    REQUIRE(f.buy("u1").verdict == Verdict::created);
    f.pass(10'020);
    CHECK(is_limited(f.buy("u1"), Limit::open));
    // Paid late: one lapse fewer and one paid more.
    CHECK(f.ask(f.payment(late.order.id, "p2")).verdict == Verdict::ok);
    CHECK(f.buy("u1").verdict == Verdict::created);
  }

  TEST_CASE("a pause is over when the wall clock was set back behind its beginning") {
    Fixture f(100);
    f.desk->set_limits({.open_per_user = 1});
    for (int i = 0; i < 3; ++i) {
      REQUIRE(f.buy("u1").verdict == Verdict::created);
      f.pass(10'020);
    }
    SUBCASE("by a little it is still to be waited for") {
      f.now.wall_ns -= 3 * kSecond;
      check_true_wait(f, f.create("u1"), Limit::open);
    }
    SUBCASE("by an hour nobody knows when it began") {
      f.now.wall_ns -= 3'600 * kSecond;
      CHECK(f.buy("u1").verdict == Verdict::created);
    }
  }

  TEST_CASE("cancelled reservations are no lapses") {
    Fixture f(100);
    f.desk->set_limits({.open_per_user = 1});
    for (int i = 0; i < 20; ++i) {
      const OrderAnswer answer = f.buy("u1");
      REQUIRE(answer.verdict == Verdict::created);
      REQUIRE(f.ask(f.about(RequestKind::cancel, answer.order.id, "u1")).verdict == Verdict::ok);
    }
  }

  TEST_CASE("the wait for a reservation that will lapse holds the pause behind it") {
    Fixture f(100);
    f.desk->set_limits({.open_per_user = 1});
    for (int i = 0; i < 2; ++i) {
      REQUIRE(f.buy("u1").verdict == Verdict::created);
      f.pass(10'020);
    }
    REQUIRE(f.buy("u1").verdict == Verdict::created);
    f.pass(4'000);
    check_true_wait(f, f.create("u1"), Limit::open);
  }

  TEST_CASE("the wait holds further lapses that come before it is over") {
    Fixture f(100);
    f.desk->set_limits({.open_per_user = 2});
    for (int i = 0; i < 2; ++i) REQUIRE(f.buy("u1").verdict == Verdict::created);
    f.pass(10'020);
    // Two have lapsed, the next one begins a pause, and the one behind it lapses in that pause and begins a longer one.
    REQUIRE(f.buy("u1").verdict == Verdict::created);
    f.pass(3'000);
    REQUIRE(f.buy("u1").verdict == Verdict::created);
    f.pass(500);
    SUBCASE("while as many are open as may be") {
      check_true_wait(f, f.create("u1"), Limit::open);
    }
    SUBCASE("while one is open and the pause behind the other runs") {
      f.pass(7'000);
      check_true_wait(f, f.create("u1"), Limit::open);
    }
    SUBCASE("for an item of another pay window") {
      add_item(f, 1, 100, 0, 1);
      REQUIRE(is_limited(f.buy("u1"), Limit::open));
      OrderRequest brief = f.create("u1");
      brief.item = 1;
      check_true_wait(f, brief, Limit::open);
    }
  }

  TEST_CASE("of two that lapse together the wait holds the pause behind both") {
    Fixture f(100);
    f.desk->set_limits({.open_per_user = 2});
    for (int i = 0; i < 2; ++i) {
      for (int j = 0; j < 2; ++j) REQUIRE(f.buy("u1").verdict == Verdict::created);
      if (i == 0) f.pass(10'020);
    }
    f.pass(100);
    check_true_wait(f, f.create("u1"), Limit::open);
  }

  TEST_CASE("without the limit on reservations nobody is paused") {
    Fixture f(100);
    for (int i = 0; i < 10; ++i) {
      REQUIRE(f.buy("u1").verdict == Verdict::created);
      f.pass(10'020);
    }
    CHECK(f.buy("u1").verdict == Verdict::created);
  }

  TEST_CASE("pauses grow by the pay window and end at sixteen of them or a day") {
    CHECK(pause_after_lapses_ms(0, 0, 600) == 0);
    CHECK(pause_after_lapses_ms(2, 0, 600) == 0);
    CHECK(pause_after_lapses_ms(3, 0, 600) == 600'000);
    CHECK(pause_after_lapses_ms(4, 0, 600) == 1'200'000);
    CHECK(pause_after_lapses_ms(7, 0, 600) == 9'600'000);
    CHECK(pause_after_lapses_ms(UINT32_MAX, 0, 600) == 9'600'000);
    CHECK(pause_after_lapses_ms(7, 4, 600) == 600'000);
    CHECK(pause_after_lapses_ms(7, UINT32_MAX, 600) == 0);
    CHECK(pause_after_lapses_ms(9, 0, bounds::pay_window_s_max) == bounds::lapse_pause_ms_max);
  }

  // ---- degrade ----

  TEST_CASE("no new users: only who has ordered before may order") {
    Fixture f(100);
    const OrderAnswer old = f.buy("old");
    REQUIRE(f.ask(f.about(RequestKind::cancel, old.order.id, "old")).verdict == Verdict::ok);
    f.desk->set_limits({.new_orders = NewOrders::of_known_users});
    CHECK(f.buy("new").verdict == Verdict::overloaded);
    CHECK(f.buy("old").verdict == Verdict::created);
    f.desk->set_limits({.new_orders = NewOrders::of_nobody});
    const OrderAnswer refused = f.buy("old");
    CHECK(refused.verdict == Verdict::overloaded);
    CHECK(f.ask(f.about(RequestKind::read, old.order.id, "old")).verdict == Verdict::ok);
    f.desk->set_limits({});
    CHECK(f.buy("new").verdict == Verdict::created);
  }

  // ---- the rate of the sale ----

  TEST_CASE("so many units are reserved in a second as the rate has and the rest waits") {
    for (const bool is_of_item : {true, false}) {
      CAPTURE(is_of_item);
      Fixture f(1'000);
      if (is_of_item)
        set_order_rate(f, 100);
      else
        f.desk->set_limits({.order_rate = 100});
      int created = 0;
      for (int i = 0; i < 2'000; ++i) {
        const OrderAnswer answer = f.buy("u" + std::to_string(i));
        created += answer.verdict == Verdict::created;
        if (answer.verdict != Verdict::created)
          CHECK(is_limited(answer, is_of_item ? Limit::item : Limit::sale));
        f.pass(1);
      }
      CHECK(created <= 206);
      CHECK(created >= 195);
    }
  }

  TEST_CASE("a refused request costs no token") {
    Fixture f(1'000, 1);
    set_order_rate(f, 1);
    REQUIRE(f.buy("winner", 1, "k1").verdict == Verdict::created);
    for (int i = 0; i < 50; ++i) {
      CHECK(f.buy("winner", 1, "k1").verdict == Verdict::replayed);
      CHECK(f.buy("winner", 1, "k2").verdict == Verdict::limit_reached);
      CHECK(is_limited(f.buy("u" + std::to_string(i)), Limit::item));
    }
    f.pass(1'000);
    CHECK(f.buy("next").verdict == Verdict::created);
  }

  TEST_CASE("neither bucket loses a token to the other one") {
    Fixture f(1'000);
    add_item(f, 1, 1'000, 1'000);
    f.desk->set_limits({.order_rate = 1});
    REQUIRE(f.buy("u0").verdict == Verdict::created);
    for (int i = 0; i < 100; ++i)
      CHECK(is_limited(buy_of(f, 1, "u" + std::to_string(i)), Limit::sale));
    f.desk->set_limits({});
    for (int i = 0; i < 51; ++i)
      CHECK(buy_of(f, 1, "v" + std::to_string(i)).verdict == Verdict::created);
    CHECK(is_limited(buy_of(f, 1, "v51"), Limit::item));
  }

  TEST_CASE("a lonely refused one is told the moment of the next token") {
    Fixture f(1'000);
    f.desk->set_limits({.order_rate = 2});
    REQUIRE(f.buy("u0").verdict == Verdict::created);
    const OrderAnswer refused = f.buy("u1");
    REQUIRE(is_limited(refused, Limit::sale));
    CHECK(refused.retry_after_ms == 450);  // a token each half second, and 50 ms of them beside one
    f.pass(449);
    CHECK(is_limited(f.buy("u1"), Limit::sale));
    f.pass(1);
    CHECK(f.buy("u1").verdict == Verdict::created);
  }

  TEST_CASE("who comes back at the moment that he was told is let through") {
    for (const uint32_t rate : {10u, 50u, 400u}) {
      CAPTURE(rate);
      Fixture f(1'000);
      set_order_rate(f, rate);
      while (f.buy("first").verdict == Verdict::created) continue;
      std::map<int64_t, std::vector<std::string>> back;  // by the millisecond of their arrival
      for (int i = 0; i < 257; ++i) {
        const std::string user = "u" + std::to_string(i);
        const OrderAnswer refused = f.buy(user);
        REQUIRE(is_limited(refused, Limit::item));
        const int64_t network_ms = i * 7 % 23;
        back[refused.retry_after_ms + network_ms].push_back(user);
      }
      int64_t passed_ms = 0;
      for (const auto& [ms, users] : back) {
        f.pass(ms - passed_ms);
        passed_ms = ms;
        for (const std::string& user : users) CHECK(f.buy(user).verdict == Verdict::created);
      }
    }
  }

  TEST_CASE("the later of the waits for item and sale is named and the refused are spread") {
    Fixture f(1'000);
    set_order_rate(f, 10);
    f.desk->set_limits({.order_rate = 1});
    REQUIRE(f.buy("u0").verdict == Verdict::created);
    std::set<uint32_t> waits;
    for (int i = 0; i < 20; ++i) {
      const OrderAnswer refused = f.buy("u" + std::to_string(i));
      REQUIRE(is_limited(refused, Limit::sale));
      CHECK(refused.retry_after_ms >= 950);
      CHECK(refused.retry_after_ms <= 20'000);
      waits.insert(refused.retry_after_ms);
    }
    CHECK(waits.size() > 15);
    CHECK(*waits.rbegin() > 5'000);
  }

  TEST_CASE("those who hear sold_out make nobody of another item wait longer") {
    Fixture f(0);
    add_item(f, 1, 1'000);
    f.desk->set_limits({.order_rate = 2});
    REQUIRE(f.buy("u0").verdict == Verdict::sold_out);
    REQUIRE(buy_of(f, 1, "u0").verdict == Verdict::created);
    for (int i = 0; i < 1'000; ++i)
      CHECK(f.buy("u" + std::to_string(i)).verdict == Verdict::sold_out);
    CHECK(buy_of(f, 1, "u1").retry_after_ms <= 1'000);
  }

  TEST_CASE("an item that is gone is sold out whatever its rate") {
    Fixture f(3);
    set_order_rate(f, 1);
    int created = 0;
    bool has_heard_sold_out = false;
    for (int i = 0; i < 500; ++i) {
      const OrderAnswer answer = f.buy("u" + std::to_string(i));
      created += answer.verdict == Verdict::created;
      if (answer.verdict == Verdict::sold_out) {
        CHECK(created == 3);
        has_heard_sold_out = true;
      }
      // The third is sold after two seconds; from then on nobody is told to come back.
      if (has_heard_sold_out) CHECK(answer.verdict == Verdict::sold_out);
      f.pass(10);
    }
    CHECK(created == 3);
    CHECK(has_heard_sold_out);
  }

  TEST_CASE("of an item sold out elsewhere a shard whose tokens are gone learns by asking") {
    Fixture f(1, 0, 10, 2);
    f.desk->set_limits({.order_rate = 1});
    REQUIRE(f.rates.sale().take(1, f.now.boot_ns));
    // Another stream has the only unit and sells it.
    REQUIRE(f.book.ask(1, {.item = 0, .want = 1}).news.accepted == 1);
    (void)f.book.ask(1, {.item = 0, .accepted = 1, .pool = 0});
    CHECK(is_limited(f.buy("u1"), Limit::sale));
    CHECK(f.buy("u2").verdict == Verdict::sold_out);
  }

  TEST_CASE("what is bought by waiting in the line takes its token when it is reserved") {
    Fixture f(100);
    f.desk->set_limits({.order_rate = 1});
    for (int i = 0; i < 3; ++i) f.handle(f.create("u" + std::to_string(i)));
    REQUIRE(f.desk->waiting() == 3);
    f.turn();
    REQUIRE(f.answers.answers.size() == 3);
    // A refusal need not wait for the disk.
    CHECK(is_limited(f.answers.take(), Limit::sale));
    CHECK(is_limited(f.answers.take(), Limit::sale));
    CHECK(f.answers.take().verdict == Verdict::created);
    CHECK(f.adds_up(100));
  }

  TEST_CASE("two shards share one bucket") {
    Fixture one(1'000), other(1'000);
    TestJournal journal;
    Desk desk({}, other.state, other.catalog, journal, other.answers, one.rates, 0, other.now);
    one.desk->set_limits({.order_rate = 100});
    desk.set_limits({.order_rate = 100});
    desk.take_news({.item = 0, .accepted = 500}, other.now);
    int created = 0;
    for (int i = 0; i < 1'000; ++i) {
      created += one.buy("a" + std::to_string(i)).verdict == Verdict::created;
      desk.handle(other.create("b" + std::to_string(i)), one.now);
      desk.release(journal.last);
      created += other.answers.take().verdict == Verdict::created;
      one.pass(1);
    }
    CHECK(created <= 106);
    CHECK(created >= 95);
  }

  TEST_CASE("automatic is what was measured and nothing without a database") {
    Fixture f(1'000);
    f.desk->set_limits({.order_rate = 1, .is_order_rate_automatic = true});
    for (int i = 0; i < 10; ++i) CHECK(f.buy("u" + std::to_string(i)).verdict == Verdict::created);
    f.rates.set_measured(1);
    CHECK(f.buy("one more").verdict == Verdict::created);
    CHECK(is_limited(f.buy("too many"), Limit::sale));
  }

  TEST_CASE("a payment that is late and a cancel take no token") {
    Fixture f(10);
    f.desk->set_limits({.order_rate = 1});
    const OrderAnswer order = f.buy("u1");
    REQUIRE(order.verdict == Verdict::created);
    f.pass(10'020);
    REQUIRE(f.buy("u2").verdict == Verdict::created);
    CHECK(is_limited(f.buy("u3"), Limit::sale));
    const OrderAnswer paid = f.ask(f.payment(order.order.id, "p1"));
    CHECK(paid.verdict == Verdict::ok);
    CHECK(paid.order.state == OrderState::paid);
  }
}

}  // namespace
}  // namespace stampede::stock
