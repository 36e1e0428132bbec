#include "drain/batch.h"

#include "support.h"

namespace {

using namespace stampede;
using namespace stampede::drain;
using namespace stampede::drain::testing;
using orderlog::RecordType;

struct Fixture {
  Fixture() {
    set_ticket(names);
    batch.start({}, orderlog::Position{});
  }
  ItemNames names;
  Batch batch{names};
};

}  // namespace

TEST_SUITE("drain/batch") {
  TEST_CASE_FIXTURE(Fixture, "a reservation becomes a new order") {
    batch.add(7, reserve(1, "alice", 2));
    REQUIRE(batch.orders().size() == 1);
    const NewOrder& order = batch.orders()[0];
    CHECK(order.lsn == 7);
    CHECK(order.order == order_id(1));
    CHECK(order.item == "ticket");
    CHECK(order.user.view() == "alice");
    CHECK(order.quantity == 2);
    CHECK(order.amount == 110'700);
    CHECK(order.state == OrderState::reserved);
    CHECK(order.updated_ms == order.created_ms);
    CHECK(order.payment.empty());
    CHECK(batch.rows() == 1);
  }

  TEST_CASE_FIXTURE(Fixture,
                    "what happens to an order in the batch that made it costs no second row") {
    batch.add(1, reserve(1));
    batch.add(2, expire(1));
    batch.add(3, payment(RecordType::late_paid, 1, "p1"));
    batch.add(4, payment(RecordType::refund_due, 1, "p2", 40));
    batch.add(5, payment(RecordType::refund_due, 1, "p3", 2));
    REQUIRE(batch.orders().size() == 1);
    CHECK(batch.changes().empty());
    CHECK(batch.orders()[0].state == OrderState::paid);
    CHECK(batch.orders()[0].payment.view() == "p1");
    CHECK(batch.orders()[0].refund_due == 42);
    CHECK(batch.payments().size() == 3);
  }

  TEST_CASE_FIXTURE(Fixture, "what happens to an older order is folded into one change") {
    batch.add(1, expire(9));
    batch.add(2, payment(RecordType::refund_due, 9, "p1", 100));
    batch.add(3, payment(RecordType::refund_due, 9, "p2", 11));
    REQUIRE(batch.changes().size() == 1);
    CHECK(batch.changes()[0].lsn == 1);
    CHECK(batch.changes()[0].state == OrderState::expired);
    CHECK(batch.changes()[0].payment.empty());
    CHECK(batch.changes()[0].refund_added == 111);
    CHECK(batch.changes()[0].updated_ms == kStartMs + 7'000);  // the latest
  }

  TEST_CASE_FIXTURE(Fixture, "a rejected payment stands in payments and leaves its order alone") {
    batch.add(1, payment(RecordType::payment_rejected, 9, "p1"));
    CHECK(batch.changes().empty());
    REQUIRE(batch.payments().size() == 1);
    CHECK(batch.payments()[0].outcome == RecordType::payment_rejected);
  }

  TEST_CASE_FIXTURE(Fixture, "records about stock make no rows") {
    batch.add(1, orderlog::Grant{.item = kTicket, .accepted = 5});
    batch.add(2, orderlog::GiveBack{.item = kTicket, .returned = 5});
    batch.add(3, orderlog::Supply{.item = kTicket, .supplied = 5});
    batch.add(4, orderlog::Admin{.what = "pause"});
    batch.add(5, orderlog::Forget{.order = order_id(1)});
    batch.add(6, orderlog::Recovery{});
    batch.add(7, orderlog::SegmentEnd{});
    CHECK(batch.rows() == 0);
    CHECK(batch.records() == 7);
  }

  TEST_CASE_FIXTURE(Fixture,
                    "an order of an item without a code marks the batch as not to be written") {
    orderlog::Reserve order = reserve(1);
    order.item = 5;
    batch.add(1, order);
    CHECK(batch.unknown_item() == 5);
    batch.start({}, orderlog::Position{});
    CHECK_FALSE(batch.unknown_item().has_value());
  }

  TEST_CASE_FIXTURE(
      Fixture,
      "an image keeps its sum of refunds and takes only the payment id from its payments") {
    batch.start_rebuild({}, std::nullopt);
    batch.add(0, orderlog::OrderImage{
                     .reserve = reserve(1), .state = OrderState::paid, .refund_due = 40});
    batch.add(0, orderlog::PaymentImage{paid(1, "p1")});
    batch.add(0, orderlog::PaymentImage{payment(RecordType::refund_due, 1, "p2", 40)});
    REQUIRE(batch.orders().size() == 1);
    CHECK(batch.orders()[0].refund_due == 40);
    CHECK(batch.orders()[0].payment.view() == "p1");
    CHECK(batch.payments().size() == 2);
    CHECK(batch.is_rebuild());
    CHECK_FALSE(batch.after().has_value());
  }
}
