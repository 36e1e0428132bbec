#include "stock/desk.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <set>

#include "desk_fixture.h"

namespace stampede::stock {
namespace {

using orderlog::RecordType;

void add_item(Fixture& f, ItemId id, Units stock) {
  ItemTerms terms = f.catalog.terms(0);
  terms.id = id;
  terms.code = std::string_view(std::string("item-") + std::to_string(id));
  f.catalog.upsert(terms);
  const StreamCount counts[1] = {};
  REQUIRE(f.book.start(id, stock, 0, counts));
}

TEST_SUITE("stock/desk") {
  TEST_CASE("exactly the stock is sold and then everybody hears sold_out") {
    for (const Units stock : {0, 1, 5, 200}) {
      CAPTURE(stock);
      Fixture f(stock);
      Units sold = 0, refused = 0;
      for (Units i = 0; i < 10 * stock + 3; ++i) {
        const OrderAnswer answer = f.buy("u" + std::to_string(i));
        sold += answer.verdict == Verdict::created;
        refused += answer.verdict == Verdict::sold_out;
      }
      CHECK(sold == stock);
      CHECK(refused == 9 * stock + 3);
      CHECK(f.adds_up(stock));
    }
  }

  TEST_CASE("no answer that shows an order leaves before its record is durable") {
    Fixture f(5, 1);
    f.buy("warm up");  // the pool now holds units
    f.handle(f.create("u1", 1, "k1"));
    LedgerAsk asks[4];
    for (size_t i = f.desk->leases().collect_asks(~0u, asks, f.now); i > 0; --i)
      f.desk->take_news(f.book.ask(0, asks[i - 1]).news, f.now);
    const Lsn reserve = f.journal.last;
    f.handle(f.create("u1", 1, "k1"));  // replay
    f.handle(f.create("u1"));           // at the limit: shows the id
    CHECK(f.answers.answers.empty());
    f.desk->release(reserve - 1);
    CHECK(f.answers.answers.empty());
    f.desk->release(reserve);
    REQUIRE(f.answers.answers.size() == 3);
    CHECK(f.answers.answers[0].verdict == Verdict::created);
    CHECK(f.answers.answers[1].verdict == Verdict::replayed);
    CHECK(f.answers.answers[2].verdict == Verdict::limit_reached);
    CHECK(f.answers.answers[2].order.id == f.answers.answers[0].order.id);
  }

  TEST_CASE("an objection of the door is said behind a replay and a held order and a closed sale") {
    Fixture f(5, 1);
    REQUIRE(f.buy("winner", 1, "k1").verdict == Verdict::created);
    const auto with_objection = [&](const std::string& user, const std::string& key) {
      OrderRequest request = f.create(user, 1, key);
      request.objection = Verdict::blocked;
      return f.ask(request);
    };
    CHECK(with_objection("winner", "k1").verdict == Verdict::replayed);
    CHECK(with_objection("winner", "k2").verdict == Verdict::limit_reached);
    CHECK(with_objection("stranger", "k1").verdict == Verdict::blocked);
    CHECK(f.desk->leases().count(0).reserved == 1);
    ItemTerms terms = f.catalog.terms(0);
    terms.is_paused = true;
    f.catalog.upsert(terms);
    CHECK(with_objection("stranger", "k1").verdict == Verdict::sale_paused);
  }

  TEST_CASE("a newcomer takes no unit past those who wait") {
    Fixture f(3);
    f.desk->take_news({.item = 0, .accepted = 1, .free = 2}, f.now);
    f.handle(f.create("big", 3));
    f.handle(f.create("small", 1));  // one unit is here, and it is not the small one's turn
    CHECK(f.answers.answers.empty());
    CHECK(f.desk->leases().count(0).reserved == 0);
    CHECK(f.desk->waiting() == 2);
  }

  TEST_CASE("sold_out is not said when one unit was left and two were asked for") {
    Fixture f(1);
    f.handle(f.create("a", 2));
    f.turn();
    REQUIRE(f.answers.take().verdict == Verdict::not_enough);
    f.handle(f.create("b", 1));
    f.desk->release(f.journal.last);
    REQUIRE(f.answers.take().verdict == Verdict::created);
    // The ledger takes that unit for unsold still: before it was sold another stream may have got one back, and then there
    // was one at every moment.
    f.handle(f.create("c", 2));
    const OrderAnswer answer = f.answers.take();
    CHECK(answer.verdict == Verdict::not_enough);
    CHECK(answer.available == 1);
    f.turn();
    CHECK(f.buy("d", 2).verdict == Verdict::sold_out);
  }

  TEST_CASE("a user who reserves and cancels a thousand times is rate limited") {
    Fixture f(10, 2);
    for (uint32_t i = 0; i < bounds::orders_per_holding_max; ++i) {
      const OrderAnswer answer = f.buy("u1");
      REQUIRE(answer.verdict == Verdict::created);
      REQUIRE(f.ask(f.about(RequestKind::cancel, answer.order.id, "u1")).verdict == Verdict::ok);
    }
    CHECK(f.buy("u1").verdict == Verdict::rate_limited);
    CHECK(f.buy("u2").verdict == Verdict::overloaded);  // the state has room for a thousand orders
  }

  TEST_CASE("requests inside the desk are bounded by the places for their answers") {
    Fixture f(0);
    f.desk.emplace(DeskSettings{.answers_held_max = 2}, f.state, f.catalog, f.journal, f.answers,
                   f.rates, 0, f.now);
    f.handle(f.create("a"));
    f.handle(f.create("b"));
    CHECK(f.answers.answers.empty());
    f.handle(f.create("c"));
    CHECK(f.answers.take().verdict == Verdict::overloaded);
    f.turn();
    CHECK(f.answers.answers.size() == 2);
  }

  TEST_CASE("an item that this shard does not know yet is not sold") {
    Fixture f(5);
    OrderRequest request = f.create("u1");
    request.item = 7;
    CHECK(f.ask(request).verdict == Verdict::try_again);
  }

  TEST_CASE("an order costs its price for each unit") {
    Fixture f(5);
    CHECK(f.buy("u1", 3).order.amount == 300);
  }

  TEST_CASE("orders are bounded by their setting below the room of the state") {
    Fixture f(5);
    f.desk.emplace(DeskSettings{.orders_max = 1}, f.state, f.catalog, f.journal, f.answers, f.rates,
                   0, f.now);
    CHECK(f.buy("u1").verdict == Verdict::created);
    CHECK(f.buy("u2").verdict == Verdict::overloaded);
  }

  TEST_CASE("a request that finds the lines full is refused") {
    Fixture f(1);
    for (uint32_t i = 0; i < bounds::orders_waiting_max; ++i) f.handle(f.create("u"));
    CHECK(f.answers.answers.empty());
    f.handle(f.create("u"));
    CHECK(f.answers.take().verdict == Verdict::overloaded);
  }

  TEST_CASE("the one behind a request that gave up takes the units that are here") {
    Fixture f(3);
    f.desk->take_news({.item = 0, .accepted = 1, .free = 2}, f.now);
    f.handle(f.create("big", 3));
    f.now.boot_ns += (bounds::wait_for_units_ms - 1) * kMillisecond;
    f.handle(f.create("small", 1));
    f.now.boot_ns += kMillisecond;
    f.desk->pass_time(f.now);
    f.desk->release(f.journal.last);
    REQUIRE(f.answers.answers.size() == 2);
    CHECK(f.answers.answers[0].verdict == Verdict::try_again);
    CHECK(f.answers.answers[1].verdict == Verdict::created);
  }

  TEST_CASE("news that got lost is asked for again while a request waits") {
    Fixture f(3);
    f.handle(f.create("u1"));
    LedgerAsk asks[4];
    REQUIRE(f.desk->leases().collect_asks(~0u, asks, f.now) == 1);
    f.now.boot_ns += 5 * kMillisecond;
    f.desk->pass_time(f.now);
    CHECK(f.desk->leases().asking_groups() == 1);
  }

  TEST_CASE("a unit that is cancelled goes to the one who waits at once") {
    Fixture f(1);
    const OrderId order = f.buy("u1").order.id;
    f.now.boot_ns += (bounds::sold_out_valid_ms + 1) * kMillisecond;
    f.handle(f.create("u2"));
    CHECK(f.answers.answers.empty());
    f.handle(f.about(RequestKind::cancel, order, "u1"));
    f.desk->release(f.journal.last);
    REQUIRE(f.answers.answers.size() == 2);
    CHECK(f.answers.answers[1].verdict == Verdict::created);
  }

  TEST_CASE("what was sold since the ask is reported when news says that nothing is free") {
    Fixture f(1'000);
    f.desk->leases().set_lease_max(2);
    f.desk->take_news({.item = 0, .accepted = 5, .free = 900}, f.now);
    LedgerAsk asks[4];
    f.desk->leases().ask_about(0);
    REQUIRE(f.desk->leases().collect_asks(~0u, asks, f.now) == 1);
    f.handle(f.create("u1"));
    REQUIRE(f.desk->leases().asking_groups() == 0);
    f.desk->take_news({.item = 0, .accepted = 5}, f.now);
    CHECK(f.desk->leases().asking_groups() == 1);
  }

  TEST_CASE("a unit that is cancelled is reported at once while nothing is free") {
    Fixture f(1);
    const OrderId order = f.buy("u1").order.id;
    f.turn();
    REQUIRE(f.desk->leases().asking_groups() == 0);
    f.handle(f.about(RequestKind::cancel, order, "u1"));
    CHECK(f.desk->leases().asking_groups() == 1);
  }

  TEST_CASE("a long poll does not wait for a change that is on its way to the disk") {
    Fixture f(1);
    const OrderId order = f.buy("u1").order.id;
    f.handle(f.payment(order, "p1"));
    f.handle(f.about(RequestKind::watch, order, "u1"));
    CHECK(f.answers.answers.empty());
    CHECK(f.desk->watchers() == 0);
    f.turn();
    REQUIRE(f.answers.answers.size() == 2);
    CHECK(f.answers.answers[1].order.state == OrderState::paid);
    CHECK_FALSE(f.answers.answers[1].is_watching);
  }

  TEST_CASE("a payment in another currency is rejected") {
    Fixture f(1);
    const OrderId order = f.buy("u1").order.id;
    OrderRequest payment = f.payment(order, "p1");
    payment.currency = {'U', 'S', 'D'};
    CHECK(f.ask(payment).verdict == Verdict::not_payable);
    CHECK(f.ask(f.payment(order, "p2")).order.state == OrderState::paid);
  }

  TEST_CASE("a stop is over when every answer has left and every return is durable") {
    Fixture f(3);
    f.desk->take_news({.item = 0, .accepted = 3}, f.now);
    f.handle(f.create("u1", 3));
    CHECK_FALSE(f.desk->wind_up());  // the answer is held
    f.desk->release(f.journal.last);
    CHECK(f.desk->wind_up());

    Fixture g(3);
    g.desk->take_news({.item = 0, .accepted = 3}, g.now);
    CHECK_FALSE(g.desk->wind_up());  // the return is not durable
    g.desk->release(g.journal.last);
    CHECK(g.desk->wind_up());
    CHECK(g.desk->leases().durable_count(0).returned == 3);
  }

  TEST_CASE(
      "an order that may still be paid is not forgotten also when the window was made shorter") {
    constexpr int64_t kHourMs = 3'600'000;
    Fixture f(10, 0, 3 * 24 * 3'600);
    const OrderId order = f.buy("u1").order.id;
    f.desk->set_drained(f.journal.last);
    ItemTerms terms = f.catalog.terms(0);
    terms.pay_window_s = 10;
    terms.ends_ms = f.now.wall_ms();
    terms.is_ended = true;
    f.catalog.upsert(terms);
    for (int hour = 0; hour < 60; ++hour) f.pass(kHourMs);
    CHECK(f.ask(f.about(RequestKind::read, order, "u1")).order.state == OrderState::reserved);
  }

  TEST_CASE("copies of one request that wait together become one order") {
    Fixture f(5, 1);
    for (int i = 0; i < 64; ++i) f.handle(f.create("u1", 1, i % 2 ? "k" : ""));
    f.turn();
    f.turn();
    REQUIRE(f.answers.answers.size() == 64);
    std::set<uint64_t> ids;
    int created = 0;
    for (const OrderAnswer& answer : f.answers.answers) {
      created += answer.verdict == Verdict::created;
      REQUIRE(answer.has_order);
      ids.insert(answer.order.id.value);
    }
    CHECK(created == 1);
    CHECK(ids.size() == 1);
  }

  TEST_CASE("the same key with another body is key_reused and another user's key is his own") {
    Fixture f(5);
    const OrderAnswer first = f.buy("u1", 1, "k");
    CHECK(f.buy("u1", 2, "k").verdict == Verdict::key_reused);
    ItemTerms terms = f.catalog.terms(0);
    terms.id = 1;
    terms.code = std::string_view("another");
    f.catalog.upsert(terms);
    OrderRequest of_another_item = f.create("u1", 1, "k");
    of_another_item.item = 1;
    CHECK(f.ask(of_another_item).verdict == Verdict::key_reused);
    const OrderAnswer again = f.buy("u1", 1, "k");
    CHECK(again.verdict == Verdict::replayed);
    CHECK(again.order.id == first.order.id);
    const OrderAnswer other = f.buy("u2", 1, "k");
    CHECK(other.verdict == Verdict::created);
    CHECK(other.order.id != first.order.id);
  }

  TEST_CASE("cancelled and expired units count no more against the purchase limit") {
    Fixture f(10, 2, 10);
    const OrderAnswer first = f.buy("u1", 2);
    CHECK(f.buy("u1").verdict == Verdict::limit_reached);
    CHECK(f.ask(f.about(RequestKind::cancel, first.order.id, "u1")).order.state ==
          OrderState::cancelled);
    const OrderAnswer second = f.buy("u1", 1);
    CHECK(second.verdict == Verdict::created);
    CHECK(f.buy("u1", 2).verdict == Verdict::limit_reached);
    f.pass(10'100);
    CHECK(f.ask(f.about(RequestKind::read, second.order.id, "u1")).order.state ==
          OrderState::expired);
    CHECK(f.buy("u1", 2).verdict == Verdict::created);
    CHECK(f.buy("u1", 3).verdict == Verdict::bad_request);
  }

  TEST_CASE("fewer units than asked for is not_enough with their number") {
    Fixture f(7);
    CHECK(f.buy("a", 3).verdict == Verdict::created);
    CHECK(f.buy("b", 3).verdict == Verdict::created);
    const OrderAnswer answer = f.buy("c", 3);
    CHECK(answer.verdict == Verdict::not_enough);
    CHECK(answer.available == 1);
    CHECK(f.buy("d", 1).verdict == Verdict::created);
    CHECK(f.buy("e", 3).verdict == Verdict::sold_out);
  }

  TEST_CASE("units that another stream still holds unsold are try_again and never sold_out") {
    Fixture f(3, 0, 10, 2);
    (void)f.book.ask(1, {.item = 0, .want = 3});  // the other stream holds all three and sells none
    f.handle(f.create("u1"));
    for (int i = 0; i < 30 && f.answers.answers.empty(); ++i) f.pass(10);
    CHECK(f.answers.take().verdict == Verdict::try_again);
    (void)f.book.ask(1, {.item = 0, .pool = 0});  // sold there
    f.pass(60);
    CHECK(f.buy("u1").verdict == Verdict::sold_out);
  }

  TEST_CASE("a waiting request gets the unit that another stream gives back") {
    Fixture f(1, 0, 10, 2);
    (void)f.book.ask(1, {.item = 0, .want = 1});
    f.handle(f.create("u1"));
    f.turn();
    CHECK(f.answers.answers.empty());
    (void)f.book.ask(1, {.item = 0, .returned = 1});
    f.desk->take_news(f.book.news_for(0, 0), f.now);
    f.turn();
    CHECK(f.answers.take().verdict == Verdict::created);
  }

  TEST_CASE("old news is not enough for sold_out") {
    Fixture f(1);
    CHECK(f.buy("u1").verdict == Verdict::created);
    CHECK(f.buy("u2").verdict == Verdict::sold_out);
    f.now.boot_ns += (bounds::sold_out_valid_ms + 1) * kMillisecond;
    f.handle(f.create("u3"));
    CHECK(f.answers.answers.empty());  // it asks first
    f.turn();
    CHECK(f.answers.take().verdict == Verdict::sold_out);
  }

  TEST_CASE("a pool that was sold on old news is reported so that others may hear sold_out") {
    Fixture f(200, 0, 10, 2);
    for (int i = 0; f.desk->leases().count(0).pool == 0 && i < 10; ++i)
      f.buy("warm up " + std::to_string(i));
    const Units held = f.desk->leases().count(0).pool;
    REQUIRE(held > 0);
    (void)f.book.ask(1, {.item = 0, .want = 200});  // the other stream takes all the rest, unheard
    for (Units i = 0; i < held; ++i) {
      f.handle(f.create("u" + std::to_string(i)));
      f.desk->release(f.journal.last);
    }
    CHECK(f.desk->leases().count(0).pool == 0);
    f.pass(bounds::idle_pool_ms + 1);
    f.pass(1);
    CHECK(f.book.news_for(1, 0).pool_elsewhere == 0);
  }

  TEST_CASE("an idle pool goes back after its return is durable") {
    Fixture f(10'000);
    f.buy("u1");
    f.buy("u2");
    CHECK(f.desk->leases().count(0).pool > 0);
    f.pass(bounds::idle_pool_ms + 1);
    f.pass(1);
    CHECK(f.desk->leases().count(0).pool == 0);
    CHECK(f.book.free(0) == 9'998);
    CHECK(f.adds_up(10'000));
  }

  TEST_CASE("an idle pool stays for buyers here while the ledger cannot be reached") {
    Fixture f(10'000);
    f.buy("u1");
    f.buy("u2");
    const Units pool = f.desk->leases().count(0).pool;
    REQUIRE(pool > 0);
    f.desk->leases().set_available_groups(0);
    for (int i = 0; i < 5; ++i) f.pass(bounds::idle_pool_ms + 1);
    CHECK(f.desk->leases().count(0).pool == pool);
    f.desk->leases().set_available_groups(1);
    for (int i = 0; i < 2; ++i) f.pass(bounds::idle_pool_ms + 1);
    CHECK(f.desk->leases().count(0).pool == 0);
    CHECK(f.adds_up(10'000));
  }

  TEST_CASE("each group of items is asked for by itself and one that is away stops no other") {
    Fixture f(100);
    const uint32_t group = group_of("ticket", 2), other_group = 1 - group;
    std::string code = "seat";
    while (group_of(code, 2) == group) code += "+";
    ItemTerms terms;
    terms.id = 1;
    terms.code = std::string_view(code);
    terms.pay_window_s = 10;
    f.catalog.upsert(terms);
    f.desk.emplace(DeskSettings{.group_count = 2}, f.state, f.catalog, f.journal, f.answers,
                   f.rates, 0, f.now);
    OrderRequest other = f.create("b");
    other.item = 1;
    f.handle(f.create("a"));
    f.handle(other);
    CHECK(f.desk->leases().asking_groups() == 3);
    LedgerAsk asks[8];
    REQUIRE(f.desk->leases().collect_asks(1u << group, asks, f.now) == 1);
    CHECK(asks[0].item == 0);
    CHECK(asks[0].group == group);
    CHECK(f.desk->leases().asking_groups() == 1u << other_group);
    f.desk->leases().set_available_groups(1u << group);
    f.now.boot_ns += (bounds::wait_for_units_ms + 1) * kMillisecond;
    f.desk->pass_time(f.now);
    CHECK(f.answers.take().verdict == Verdict::try_again);
    CHECK(f.answers.take().verdict == Verdict::ledger_unavailable);
    (void)f.desk->leases().collect_asks(3, asks, f.now);
    f.desk->leases().begin_epoch(1u << other_group,
                                 1);  // asks about this group's items again, and no other
    CHECK(f.desk->leases().asking_groups() == 1u << other_group);
  }

  TEST_CASE("units on their way back to the ledger are not sold out at any moment") {
    Fixture f(1);
    REQUIRE(f.buy("a").verdict == Verdict::created);
    f.pass(10);  // nothing is free any more and this stream knows it
    REQUIRE(f.buy("b").verdict == Verdict::sold_out);
    const OrderId order = f.state.order(0).id;
    f.now.boot_ns += (bounds::idle_pool_ms + 1) * kMillisecond;
    f.handle(f.about(RequestKind::cancel, order, "a"));
    f.desk->pass_time(f.now);  // idle: the unit goes back …
    REQUIRE(f.state.stock(0).returned == 1);
    f.desk->release(f.journal.last);  // … durably, and the ledger has not heard of it
    f.answers.answers.clear();
    f.handle(f.create("c"));
    CHECK(f.answers.answers.empty());
    f.turn();
    CHECK(f.answers.take().verdict == Verdict::created);
  }

  TEST_CASE("stock that a restart finds in the pool is sold or given back") {
    Fixture f(100);
    f.buy("u1");
    // A grant whose orders never came: as if the process had died behind the commit of the grant.
    f.desk->take_news({.item = 0, .accepted = f.desk->leases().count(0).accepted + 9, .free = 90},
                      f.now);
    CHECK(f.desk->leases().count(0).pool >= 9);
    f.desk.reset();
    DeskSettings settings;
    f.desk.emplace(settings, f.state, f.catalog, f.journal, f.answers, f.rates,
                   f.state.sequence_max(), f.now);
    f.pass(1);
    CHECK(f.desk->leases().count(0).pool == 0);
  }

  TEST_CASE(
      "cancel and payment and expiry of one order are decided once and one unit returns at most") {
    const unsigned seed = std::random_device{}();
    INFO("seed ", seed);
    std::mt19937 random(seed);
    for (int round = 0; round < 200; ++round) {
      Fixture f(1, 0, 10);
      const OrderId order = f.buy("u1").order.id;
      f.now.boot_ns += 10 * kSecond + 20 * kMillisecond;
      f.now.wall_ns += 10 * kSecond;
      std::vector<int> events = {0, 0, 0, 1, 1, 1, 2, 2, 2};
      std::shuffle(events.begin(), events.end(), random);
      for (const int event : events) {
        if (event == 0) f.handle(f.about(RequestKind::cancel, order, "u1"));
        if (event == 1) f.handle(f.payment(order, "p1"));
        if (event == 2) f.desk->pass_time(f.now);
      }
      f.turn();
      f.pass(200);
      const OrderAnswer end = [&] {
        f.answers.answers.clear();
        return f.ask(f.about(RequestKind::read, order, "u1"));
      }();
      const StreamCount count = f.desk->leases().count(0);
      CHECK(f.adds_up(1));
      CHECK(count.reserved == 0);
      CHECK(count.paid == (end.order.state == OrderState::paid));
      if (end.order.state != OrderState::paid) {
        CHECK(f.buy("u2").verdict == Verdict::created);
        CHECK(end.order.refund_due == 100);  // the payment was delivered in every case
      }
    }
  }

  TEST_CASE("each payment of the table has its outcome and a redelivery changes nothing") {
    Fixture f(1, 0, 10);
    const OrderId order = f.buy("u1").order.id;
    CHECK(f.ask(f.payment(order, "wrong", 99)).verdict == Verdict::not_payable);
    CHECK(f.ask(f.payment(order, "wrong", 99)).verdict == Verdict::not_payable);
    OrderAnswer paid = f.ask(f.payment(order, "p1"));
    CHECK(paid.verdict == Verdict::ok);
    CHECK(paid.order.state == OrderState::paid);
    CHECK(f.ask(f.payment(order, "p1")).order.refund_due == 0);
    CHECK(f.ask(f.payment(order, "p2")).order.refund_due == 100);
    CHECK(f.ask(f.payment(order, "p2")).order.refund_due == 100);
    CHECK(f.ask(f.about(RequestKind::cancel, order, "u1")).verdict == Verdict::already_paid);
    OrderRequest failed = f.payment(order, "p3");
    failed.payment_status = PaymentStatus::failed;
    CHECK(f.ask(failed).order.refund_due == 100);
    CHECK(f.ask(f.payment({12345}, "p1")).verdict == Verdict::unknown_order);
  }

  TEST_CASE("a late payment takes a free unit again or is owed back") {
    Fixture f(1, 1, 10);
    const OrderId first = f.buy("u1").order.id;
    f.pass(10'100);
    OrderAnswer honoured = f.ask(f.payment(first, "p1"));
    CHECK(honoured.order.state == OrderState::paid);
    CHECK(f.adds_up(1));

    Fixture g(1, 1, 10);
    const OrderId expired = g.buy("u1").order.id;
    g.pass(10'100);
    CHECK(g.buy("u2").verdict == Verdict::created);
    g.handle(g.payment(expired, "p1"));
    for (int i = 0; i < 30 && g.answers.answers.empty(); ++i) g.pass(10);
    const OrderAnswer late = g.answers.take();
    CHECK(late.order.state == OrderState::expired);
    CHECK(late.order.refund_due == 100);
    CHECK(g.adds_up(1));
    CHECK(g.ask(g.payment(expired, "p1")).order.refund_due == 100);
  }

  // The news is as fresh as a sold_out needs it, but of a moment before the payment came.
  TEST_CASE("a late payment is not owed back by news of before units were given back") {
    Fixture f(7, 0, 10, 2);
    const OrderId expired = f.buy("u1", 7).order.id;
    f.pass(10'100);
    f.pass(100);
    REQUIRE(f.book.free(0) == 7);
    // The other stream takes them all and tells of it; this one hears that they are gone.
    (void)f.book.ask(1, {.item = 0, .want = 7});
    (void)f.book.ask(1, {.item = 0, .accepted = 7});
    f.desk->leases().ask_about(0);
    f.turn();
    REQUIRE(f.desk->leases().unsold(0) == 0);
    // Cancelled there, free again, and this stream has no news of it.
    (void)f.book.ask(1, {.item = 0, .accepted = 7, .returned = 7});
    OrderRequest late = f.payment(expired, "p1", 700);
    f.handle(late);
    CHECK(f.answers.answers.empty());
    f.turn();
    const OrderAnswer answer = f.answers.take();
    CHECK(answer.order.state == OrderState::paid);
    CHECK(answer.order.refund_due == 0);
  }

  // Units that came back at another stream are told to the ledger within 100 ms, perhaps behind an ask of this stream.
  TEST_CASE("a late payment is owed back only by an ask that was made 100 ms behind it") {
    Fixture f(7, 0, 10, 2);
    const OrderId expired = f.buy("u1", 7).order.id;
    f.pass(10'100);
    f.pass(100);
    (void)f.book.ask(1, {.item = 0, .want = 7});
    (void)f.book.ask(1, {.item = 0, .accepted = 7});
    f.handle(f.payment(expired, "p1", 700));
    f.pass(50);
    f.pass(49);
    CHECK(f.answers.answers.empty());
    SUBCASE("the other stream tells in time") {
      (void)f.book.ask(1, {.item = 0, .accepted = 7, .returned = 7});
      f.pass(5);
      CHECK(f.answers.take().order.state == OrderState::paid);
    }
    SUBCASE("an answer to an ask of before comes late") {
      LedgerAsk asks[1];
      f.desk->leases().ask_about(0);
      REQUIRE(f.desk->leases().collect_asks(~0u, asks, f.now) == 1);
      f.now.boot_ns += 50 * kMillisecond;
      f.desk->take_news(f.book.ask(0, asks[0]).news, f.now);
      f.desk->release(f.journal.last);
      CHECK(f.answers.answers.empty());
    }
    SUBCASE("nothing came back") {
      f.pass(5);
      f.pass(5);
      CHECK(f.answers.take().order.refund_due == 700);
    }
  }

  TEST_CASE("a late payment in doubt about the ledger waits and is never owed back") {
    Fixture f(1, 0, 10, 2);
    const OrderId order = f.buy("u1").order.id;
    f.pass(10'100);
    f.pass(100);
    REQUIRE(f.book.free(0) == 1);
    (void)f.book.ask(1, {.item = 0, .want = 1});  // elsewhere, unsold
    f.desk->take_news(f.book.news_for(0, 0), f.now);
    f.handle(f.payment(order, "p1"));
    f.turn();
    CHECK(f.answers.answers.empty());
    for (int i = 0; i < 30 && f.answers.answers.empty(); ++i) f.pass(10);
    CHECK(f.answers.take().verdict == Verdict::try_again);
    CHECK(f.ask(f.about(RequestKind::read, order, "u1")).order.refund_due == 0);
  }

  TEST_CASE("before its start and after its end nothing is sold and held orders are still shown") {
    Fixture f(10, 1);
    const OrderAnswer held = f.buy("u1", 1, "k");
    ItemTerms terms = f.catalog.terms(0);
    terms.starts_ms = f.now.wall_ms() + 1000;
    f.catalog.upsert(terms);
    const OrderAnswer early = f.buy("u2");
    CHECK(early.verdict == Verdict::not_started);
    CHECK(early.starts_at_ms == terms.starts_ms);
    terms.starts_ms = 0;
    terms.ends_ms = f.now.wall_ms();
    f.catalog.upsert(terms);
    CHECK(f.buy("u2").verdict == Verdict::sale_ended);
    CHECK(f.buy("u1", 1, "k").verdict == Verdict::replayed);
    CHECK(f.buy("u1").order.id == held.order.id);
    terms.ends_ms = 0;
    terms.is_paused = true;
    f.catalog.upsert(terms);
    CHECK(f.buy("u2").verdict == Verdict::sale_paused);
  }

  TEST_CASE("a stepped wall clock expires nobody") {
    Fixture f(10, 0, 10);
    const OrderId order = f.buy("u1").order.id;
    f.now.wall_ns += 365LL * 24 * 3600 * kSecond;
    f.pass(5'000);
    CHECK(f.ask(f.about(RequestKind::read, order, "u1")).order.state == OrderState::reserved);
    f.now.wall_ns -= 2 * 365LL * 24 * 3600 * kSecond;
    f.pass(5'100);
    CHECK(f.ask(f.about(RequestKind::read, order, "u1")).order.state == OrderState::expired);
  }

  TEST_CASE("another user's order does not exist") {
    Fixture f(10);
    const OrderId order = f.buy("u1").order.id;
    for (const RequestKind kind : {RequestKind::read, RequestKind::watch, RequestKind::cancel})
      CHECK(f.ask(f.about(kind, order, "u2")).verdict == Verdict::unknown_order);
  }

  TEST_CASE("a long poll hears of the change once and only when it is durable") {
    Fixture f(10);
    const OrderId order = f.buy("u1").order.id;
    const OrderAnswer parked = f.ask(f.about(RequestKind::watch, order, "u1"));
    CHECK(parked.is_watching);
    f.handle(f.payment(order, "p1"));
    CHECK(f.answers.answers.empty());
    f.turn();
    REQUIRE(f.answers.answers.size() == 2);
    CHECK(f.answers.answers[1].is_notice);
    CHECK(f.answers.answers[1].order.state == OrderState::paid);
    CHECK(f.desk->watchers() == 0);
  }

  TEST_CASE(
      "a long poll on an order that was forgotten hears nothing of the next order in its cell") {
    Fixture f(1);
    add_item(f, 1, 1);
    const OrderId order = f.buy("u1").order.id;
    ItemTerms terms = f.catalog.terms(0);
    terms.ends_ms = f.now.wall_ms();
    terms.is_ended = true;
    f.catalog.upsert(terms);
    f.pass(24LL * 3600 * 1000 + 10'000);
    f.pass(2'000);
    CHECK(f.ask(f.about(RequestKind::watch, order, "u1")).is_watching);
    f.desk->set_drained(f.journal.last);
    f.pass(2'000);
    REQUIRE(f.state.orders_live() == 0);
    OrderRequest create = f.create("u2");
    create.item = 1;
    const OrderId next = f.ask(create).order.id;
    REQUIRE(f.state.find_order(next) == 0);
    CHECK(f.ask(f.payment(next, "p1")).kind == RequestKind::pay);
    CHECK(f.answers.answers.empty());
    CHECK(f.ask(f.about(RequestKind::read, order, "u1")).verdict == Verdict::unknown_order);
    f.pass(bounds::wait_ms_max + 3'000);
    CHECK(f.desk->watchers() == 0);
  }

  TEST_CASE("each of many long polls hears of its own order") {
    Fixture f(Fixture::kOrdersMax);
    std::vector<OrderId> orders;
    for (uint32_t i = 0; i < Fixture::kOrdersMax; ++i) {
      orders.push_back(f.buy("u" + std::to_string(i)).order.id);
      OrderRequest watch = f.about(RequestKind::watch, orders[i], "u" + std::to_string(i));
      watch.reply_to.place = i;
      REQUIRE(f.ask(watch).is_watching);
    }
    for (uint32_t i = 0; i < Fixture::kOrdersMax; ++i) {
      f.handle(f.payment(orders[i], "p1"));
      f.turn();
      REQUIRE(f.answers.answers.size() == 2);
      const auto notice = std::ranges::find(f.answers.answers, true, &OrderAnswer::is_notice);
      REQUIRE(notice != f.answers.answers.end());
      CHECK(notice->reply_to.place == i);
      CHECK(notice->order.id == orders[i]);
      f.answers.answers.clear();
    }
  }

  TEST_CASE("a notice never takes the place that is kept for the caller's own answer") {
    for (const bool is_payment : {false, true}) {
      CAPTURE(is_payment);
      Fixture f(2);
      f.desk.emplace(DeskSettings{.answers_held_max = 2}, f.state, f.catalog, f.journal, f.answers,
                     f.rates, 0, f.now);
      f.desk->take_news({.item = 0, .accepted = 2}, f.now);
      f.handle(f.create("u1"));
      f.desk->release(f.journal.last);
      const OrderId order = f.answers.take().order.id;
      f.handle(f.about(RequestKind::watch, order, "u1"));
      REQUIRE(f.answers.take().is_watching);
      f.handle(f.create("u2"));
      REQUIRE(f.desk->held() == 1);
      f.handle(is_payment ? f.payment(order, "p1") : f.about(RequestKind::cancel, order, "u1"));
      CHECK(f.answers.answers.empty());
      f.desk->release(f.journal.last);
      REQUIRE(f.answers.answers.size() == 2);
      CHECK(f.answers.take().verdict == Verdict::created);
      CHECK(f.answers.take().kind == (is_payment ? RequestKind::pay : RequestKind::cancel));
      CHECK(f.desk->watchers() == 0);
    }
  }

  TEST_CASE("money of another amount changes nothing that is shown and ends no long poll") {
    Fixture f(2);
    const OrderId order = f.buy("u1").order.id;
    REQUIRE(f.ask(f.about(RequestKind::watch, order, "u1")).is_watching);
    CHECK(f.ask(f.payment(order, "p1", 99)).verdict == Verdict::not_payable);
    CHECK(f.answers.answers.empty());
    CHECK(f.desk->watchers() == 1);
  }

  TEST_CASE("long polls that have ended leave their places to the next one") {
    Fixture f(2);
    const OrderId order = f.buy("u1").order.id;
    OrderRequest brief = f.about(RequestKind::watch, order, "u1");
    brief.wait_ms = 5;
    for (int i = 0; i < 300; ++i) {
      CHECK(f.ask(brief).is_watching);
      f.now.boot_ns += 6 * kMillisecond;  // and no sweep
    }
    CHECK(f.desk->stats().watches_refused == 0);
    CHECK(f.desk->watchers() < 3);
  }

  TEST_CASE("an order has so many long polls and the next one is answered at once") {
    constexpr uint32_t kMost = 256;
    Fixture f(2);
    const OrderId order = f.buy("u1").order.id, other = f.buy("u2").order.id;
    for (uint32_t i = 0; i < kMost; ++i)
      REQUIRE(f.ask(f.about(RequestKind::watch, order, "u1")).is_watching);
    const OrderAnswer beyond = f.ask(f.about(RequestKind::watch, order, "u1"));
    CHECK_FALSE(beyond.is_watching);
    CHECK(beyond.verdict == Verdict::ok);
    CHECK(beyond.order.id == order);
    CHECK(f.desk->stats().watches_refused == 1);
    CHECK(f.ask(f.about(RequestKind::watch, other, "u2")).is_watching);
    f.handle(f.payment(order, "p1"));
    f.turn();
    CHECK(f.answers.answers.size() == 1 + kMost);
    CHECK(f.desk->watchers() == 1);
    CHECK(f.desk->stats().watches_refused == 1);
  }

  TEST_CASE("long polls whose time is over are dropped some in a turn") {
    constexpr uint32_t kPerSweep = 4'096;
    Fixture f(kPerSweep / 64 + 1, 0, 100);
    const uint32_t watchers = kPerSweep + 64;
    for (uint32_t i = 0; i < watchers / 64; ++i) {
      const std::string user = "u" + std::to_string(i);
      const OrderId order = f.buy(user).order.id;
      for (int poll = 0; poll < 64; ++poll)
        REQUIRE(f.ask(f.about(RequestKind::watch, order, user)).is_watching);
    }
    REQUIRE(f.desk->watchers() == watchers);
    f.now.boot_ns += (bounds::wait_ms_max + 3'000) * kMillisecond;
    f.desk->pass_time(f.now);
    CHECK(f.desk->watchers() == watchers - kPerSweep);
    f.now.boot_ns += 10 * kMillisecond;
    f.desk->pass_time(f.now);
    CHECK(f.desk->watchers() == 0);
  }

  TEST_CASE("a list is handed out newest first one order at a time") {
    Fixture f(10);
    std::vector<OrderId> made;
    for (int i = 0; i < 3; ++i) made.push_back(f.buy("u1").order.id);
    f.buy("u2");
    OrderRequest list = f.about(RequestKind::list, {}, "u1");
    list.item = 0;
    for (int i = 2; i >= 0; --i) {
      const OrderAnswer page = f.ask(list);
      CHECK(page.order.id == made[i]);
      CHECK(page.has_more == (i > 0));
      list.order = page.order.id;
    }
  }

  TEST_CASE("a log without room refuses new orders and takes nothing") {
    Fixture f(10);
    f.buy("u1");
    f.journal.has_room = false;
    const Lsn before = f.journal.last;
    CHECK(f.ask(f.create("u2")).verdict == Verdict::overloaded);
    CHECK(f.journal.last == before);
    f.journal.has_room = true;
    CHECK(f.buy("u2").verdict == Verdict::created);
  }

  TEST_CASE(
      "orders are forgotten only after end and pay window and retention and only when drained") {
    Fixture f(10, 0, 10);
    const OrderId order = f.buy("u1").order.id;
    f.ask(f.payment(order, "p1"));
    ItemTerms terms = f.catalog.terms(0);
    terms.ends_ms = f.now.wall_ms();
    terms.is_ended = true;
    f.catalog.upsert(terms);
    f.pass(24LL * 3600 * 1000 + 10'000);
    CHECK(f.state.orders_live() == 1);
    f.pass(2'000);
    CHECK(f.state.orders_live() == 1);  // nothing has been drained
    f.desk->set_drained(f.journal.last);
    f.pass(2'000);
    CHECK(f.state.orders_live() == 0);
    CHECK(f.desk->leases().count(0).paid == 1);  // its unit stays sold
    CHECK(f.adds_up(10));
  }

  TEST_CASE("orders of an item that may be sold again are not forgotten") {
    constexpr int64_t kDayMs = 24LL * 3'600'000;
    Fixture f(10, 0, 10);
    const OrderId order = f.buy("u1", 1, "k").order.id;
    f.ask(f.payment(order, "p1"));
    f.desk->set_drained(f.journal.last);
    ItemTerms terms = f.catalog.terms(0);
    terms.ends_ms = f.now.wall_ms();
    f.catalog.upsert(terms);
    CHECK_FALSE(f.desk->is_over_retention(terms, f.now));
    for (int day = 0; day < 3; ++day) f.pass(kDayMs);
    CHECK(f.desk->is_over_retention(terms, f.now));
    CHECK(f.state.orders_live() == 1);
    terms.ends_ms = 0;
    f.catalog.upsert(terms);
    CHECK_FALSE(f.desk->is_over_retention(terms, f.now));
    CHECK(f.buy("u1", 1, "k").order.id == order);
  }

  TEST_CASE("stopping gives every unsold unit back and tells those who wait") {
    Fixture f(10'000);
    f.buy("u1");
    f.buy("u2");
    f.desk->refuse_new_orders(Verdict::shutting_down);
    CHECK(f.buy("u3").verdict == Verdict::shutting_down);
    f.desk->wind_up();
    f.turn();
    CHECK(f.desk->wind_up());
    CHECK(f.desk->leases().count(0).pool == 0);
    CHECK(f.adds_up(10'000));
  }
}

}  // namespace
}  // namespace stampede::stock
