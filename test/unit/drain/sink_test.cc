// What every sink does with a batch, and every reader with what it wrote.
#include "drain/sink.h"

#include <algorithm>

#include "sink_fixture.h"

namespace {

using namespace stampede;
using namespace stampede::drain;
using namespace stampede::drain::testing;
using orderlog::RecordType;

// All rows, in pages of two: next(last) is the page behind this row.
template <typename Row, typename Next>
std::vector<Row> read_pages(Next next) {
  std::vector<Row> all;
  for (Row last;; last = all.back()) {
    const Result<std::vector<Row>> page = next(last);
    REQUIRE(page);
    REQUIRE((*page).size() <= 2);
    if ((*page).empty()) return all;
    REQUIRE(all.size() < 100);  // or the same rows come again and again
    all.insert(all.end(), (*page).begin(), (*page).end());
  }
}

}  // namespace

TYPE_TO_STRING(SqliteDatabase);
TYPE_TO_STRING(PostgresDatabase);

TEST_SUITE("drain/sink") {
  TEST_CASE_TEMPLATE("a new order arrives with every column as reports expect it", Database,
                     SqliteDatabase, PostgresDatabase) {
    SinkFixture<Database> f;
    f.connect();
    REQUIRE(f.write({reserve(1, "alice@example.org", 2)}).outcome == Outcome::done);
    const StoredOrder order = f.only_order();
    CHECK(order.order_id == "0000000000004000");
    CHECK(order.item == "ticket");
    CHECK(order.user_id == "alice@example.org");
    CHECK(order.qty == 2);
    CHECK(order.amount == 110'700);
    CHECK(order.currency == "CNY");
    CHECK(order.state == "reserved");
    CHECK(order.created_at == "2026-12-01T00:00:00.001Z");
    CHECK(order.pay_before == "2026-12-01T00:30:00.001Z");
    CHECK(order.updated_at == order.created_at);
    CHECK_FALSE(order.payment_id.has_value());
    CHECK(order.refund_due == 0);
  }

  TEST_CASE_TEMPLATE("the position moves with the rows and comes back as it was written", Database,
                     SqliteDatabase, PostgresDatabase) {
    SinkFixture<Database> f;
    f.connect();
    REQUIRE(f.write({reserve(1), reserve(2)}).outcome == Outcome::done);
    const auto positions = f.sink->positions();
    REQUIRE(positions);
    REQUIRE((*positions).size() == 1);
    CHECK((*positions)[0].stream == kStream);
    CHECK((*positions)[0].position == *f.position);
    CHECK(f.contents().positions[0].position == *f.position);
  }

  TEST_CASE_TEMPLATE("every change of an order ends in its row whether folded or not", Database,
                     SqliteDatabase, PostgresDatabase) {
    SinkFixture<Database> f;
    struct Case {
      std::vector<orderlog::Record> changes;
      const char* state;
      const char* payment_id;
      Money refund_due;
      size_t payments;
    };
    const std::vector<Case> cases = {
        {{}, "reserved", nullptr, 0, 0},
        {{paid(1)}, "paid", "p1", 0, 1},
        {{cancel(1)}, "cancelled", nullptr, 0, 0},
        {{expire(1)}, "expired", nullptr, 0, 0},
        {{expire(1), payment(RecordType::late_paid, 1, "p1")}, "paid", "p1", 0, 1},
        {{expire(1), payment(RecordType::refund_due, 1, "p1", 70)}, "expired", nullptr, 70, 1},
        {{cancel(1), payment(RecordType::refund_due, 1, "p1", 70)}, "cancelled", nullptr, 70, 1},
        {{paid(1), payment(RecordType::refund_due, 1, "p2", 70),
          payment(RecordType::refund_due, 1, "p3", 7)},
         "paid",
         "p1",
         77,
         3},
        {{payment(RecordType::payment_rejected, 1, "p1")}, "reserved", nullptr, 0, 1},
        {{payment(RecordType::payment_rejected, 1, "p1"), paid(1, "p2")}, "paid", "p2", 0, 2},
    };
    f.connect();
    // Each case twice: all in one f.batch, and one batch for each record.
    uint64_t number = 0;
    for (const Case& c : cases) {
      for (const bool is_folded : {true, false}) {
        ++number;
        CAPTURE(number);
        std::vector<orderlog::Record> records = {reserve(number)};
        for (orderlog::Record change : c.changes) {
          std::visit(
              [&](auto& record) {
                if constexpr (requires { record.order; }) record.order = order_id(number);
              },
              change);
          records.push_back(change);
        }
        if (is_folded) {
          REQUIRE(f.write(records).outcome == Outcome::done);
        } else {
          for (const orderlog::Record& record : records)
            REQUIRE(f.write({record}).outcome == Outcome::done);
        }
        const Contents now = f.contents();
        const StoredOrder& order = now.orders.back();
        CHECK(order.state == c.state);
        CHECK(order.payment_id.value_or("none") == (c.payment_id ? c.payment_id : "none"));
        CHECK(order.refund_due == c.refund_due);
        CHECK(std::ranges::count(now.payments, order.order_id, &StoredPayment::order_id) ==
              static_cast<int64_t>(c.payments));
        CHECK(now.rejects.empty());
      }
    }
  }

  TEST_CASE_TEMPLATE("a payment stands in payments with what was decided about it", Database,
                     SqliteDatabase, PostgresDatabase) {
    SinkFixture<Database> f;
    f.connect();
    f.write({reserve(1), paid(1, "p1"), payment(RecordType::refund_due, 1, "p2", 9),
             payment(RecordType::payment_rejected, 1, "p3", 1)});
    const Contents now = f.contents();
    REQUIRE(now.payments.size() == 3);
    CHECK(now.payments[0] == StoredPayment{.payment_id = "p1",
                                           .order_id = "0000000000004000",
                                           .amount = 55'350,
                                           .currency = "CNY",
                                           .outcome = "paid",
                                           .received_at = "2026-12-01T00:00:05.000Z"});
    CHECK(now.payments[1].outcome == "refund_due");
    CHECK(now.payments[2].outcome == "payment_rejected");
    CHECK(now.payments[2].amount == 1);
  }

  TEST_CASE_TEMPLATE("a second drainer loses the race and writes nothing", Database, SqliteDatabase,
                     PostgresDatabase) {
    SinkFixture<Database> f;
    f.connect();
    REQUIRE(f.write({reserve(1)}).outcome == Outcome::done);
    const auto rival = f.database.sink();
    REQUIRE(rival->positions());
    f.next_batch({reserve(2)});
    CHECK(rival->write(f.batch, kNowMs).outcome == Outcome::done);
    CHECK(f.sink->write(f.batch, kNowMs).outcome == Outcome::conflict);
    CHECK(f.contents().orders.size() == 2);
    // It reads where the winner is and goes on there.
    f.position = (*f.sink->positions())[0].position;
    CHECK(f.write({reserve(3)}).outcome == Outcome::done);
    CHECK(f.contents().orders.size() == 3);
    CHECK(f.contents().rejects.empty());
  }

  TEST_CASE_TEMPLATE("two drainers that both begin at the beginning do not both write", Database,
                     SqliteDatabase, PostgresDatabase) {
    SinkFixture<Database> f;
    f.connect();
    const auto rival = f.database.sink();
    REQUIRE(rival->positions());
    f.next_batch({reserve(1)});
    CHECK(rival->write(f.batch, kNowMs).outcome == Outcome::done);
    CHECK(f.sink->write(f.batch, kNowMs).outcome == Outcome::conflict);
    CHECK(f.contents().orders.size() == 1);
  }

  TEST_CASE_TEMPLATE("a position with another chain value is not the expected one", Database,
                     SqliteDatabase, PostgresDatabase) {
    SinkFixture<Database> f;
    f.connect();
    REQUIRE(f.write({reserve(1)}).outcome == Outcome::done);
    f.position->prev_chain ^= 1;
    CHECK(f.write({reserve(2)}).outcome == Outcome::conflict);
    CHECK(f.contents().orders.size() == 1);
  }

  TEST_CASE_TEMPLATE("rows that a constraint refuses are set aside and the others arrive", Database,
                     SqliteDatabase, PostgresDatabase) {
    SinkFixture<Database> f;
    f.connect();
    f.database.refuse({"orders", "length(new.user_id) > 10", "user_id too long"});
    const Written written = f.write({reserve(1), reserve(2, "far-too-long-a-name"), reserve(3)});
    CHECK(written.outcome == Outcome::done);
    CHECK(written.rejected == 1);
    const Contents now = f.contents();
    CHECK(now.orders.size() == 2);
    REQUIRE(now.rejects.size() == 1);
    CHECK(now.rejects[0].stream == kStream);
    CHECK(now.rejects[0].lsn == 2);
    CHECK(now.rejects[0].order_id == "0000000000008000");
    CHECK(now.rejects[0].reason == "user_id too long");
    CHECK(contains(now.rejects[0].record,
                   "user_id=far-too-long-a-name qty=1 amount=55350 currency=CNY state=reserved"));
    CHECK(now.rejects[0].at == "2026-12-01T00:01:00.000Z");
  }

  TEST_CASE_TEMPLATE("a line of rejected goes with the rows that settle it, and with nothing else",
                     Database, SqliteDatabase, PostgresDatabase) {
    SinkFixture<Database> f;
    f.connect();
    f.database.refuse({"orders", "length(new.user_id) > 10", "user_id too long"});
    REQUIRE(f.write({reserve(1, "far-too-long-a-name"), reserve(2, "too-long-as-well")}).rejected ==
            2);
    const std::vector<StoredReject> before = f.contents().rejects;
    const auto settle = [&](const char* user) {
      f.batch.start_rebuild(kStream, f.position);
      f.batch.add(1, orderlog::OrderImage{.reserve = reserve(1, user)});
      f.batch.settle_reject(before[0].id);
      return f.sink->write(f.batch, kNowMs);
    };
    // Refused again: a new line in the old one's place.
    CHECK(settle("still-too-long").rejected == 1);
    Contents now = f.contents();
    REQUIRE(now.rejects.size() == 2);
    CHECK(now.rejects[0].id == before[1].id);
    CHECK(contains(now.rejects[1].record, "user_id=still-too-long"));
    CHECK(now.orders.empty());
    // Nothing is taken away by a batch that is not written.
    f.batch.start_rebuild(kStream, std::nullopt);
    f.batch.settle_reject(before[1].id);
    CHECK(f.sink->write(f.batch, kNowMs).outcome == Outcome::conflict);
    CHECK(f.contents().rejects.size() == 2);
    CHECK(settle("short").rejected == 0);
    now = f.contents();
    CHECK(now.rejects.size() == 2);  // its line was the one that is gone already
    CHECK(now.orders.size() == 1);
  }

  TEST_CASE_TEMPLATE("an order id that is already there is set aside and the first row stays",
                     Database, SqliteDatabase, PostgresDatabase) {
    SinkFixture<Database> f;
    f.connect();
    f.write({reserve(1, "first")});
    CHECK(f.write({reserve(1, "second"), reserve(2)}).rejected == 1);
    CHECK(f.contents().orders[0].user_id == "first");
    CHECK(f.contents().orders.size() == 2);
    CHECK(contains(f.contents().rejects[0].reason, "order_id"));
  }

  TEST_CASE_TEMPLATE("a change of an order that is not there is set aside", Database,
                     SqliteDatabase, PostgresDatabase) {
    SinkFixture<Database> f;
    f.connect();
    const Written written = f.write({expire(8), reserve(9)});
    CHECK(written.outcome == Outcome::done);
    CHECK(written.rejected == 1);
    CHECK(f.contents().rejects[0].reason == "there is no such order in orders");
    CHECK(contains(f.contents().rejects[0].record, "state=expired"));
    CHECK(f.contents().orders.size() == 1);
  }

  TEST_CASE_TEMPLATE("tables of a newer version are refused and not touched", Database,
                     SqliteDatabase, PostgresDatabase) {
    SinkFixture<Database> f;
    f.connect();
    f.database.execute("UPDATE schema_version SET version=9");
    const auto positions = f.database.sink()->positions();
    REQUIRE_FALSE(positions);
    CHECK(contains(positions.error().message, "schema version 9"));
    CHECK_FALSE(open_database_reader(f.database.url()));
  }

  TEST_CASE_TEMPLATE("a reject that cannot be kept stops the line instead of losing the row",
                     Database, SqliteDatabase, PostgresDatabase) {
    SinkFixture<Database> f;
    f.connect();
    f.database.refuse({"rejected", "new.lsn > 0", "no more rejects"});
    f.check_retry({reserve(1), expire(8)}, "no more rejects");
    CHECK(f.contents().orders.empty());
    f.connect();
    CHECK(f.write({reserve(1)}).outcome == Outcome::done);
  }

  TEST_CASE_TEMPLATE("columns that somebody added do not disturb", Database, SqliteDatabase,
                     PostgresDatabase) {
    SinkFixture<Database> f;
    f.connect();
    f.database.execute("ALTER TABLE orders ADD COLUMN note TEXT DEFAULT 'x'");
    CHECK(f.write({reserve(1), paid(1)}).outcome == Outcome::done);
    CHECK(f.only_order().state == "paid");
  }

  TEST_CASE_TEMPLATE("images replace the rows of a rebuild that was cut off", Database,
                     SqliteDatabase, PostgresDatabase) {
    SinkFixture<Database> f;
    f.connect();
    const auto add_images = [&](const char* user) {
      f.batch.start_rebuild(kStream, std::nullopt);
      f.batch.add(0, orderlog::OrderImage{
                         .reserve = reserve(1, user), .state = OrderState::paid, .refund_due = 40});
      f.batch.add(0, orderlog::PaymentImage{paid(1)});
      f.batch.add(0, orderlog::PaymentImage{payment(RecordType::refund_due, 1, "p2", 40)});
    };
    add_images("early");
    REQUIRE(f.sink->write(f.batch, kNowMs).outcome == Outcome::done);
    CHECK(f.contents().positions.empty());
    add_images("late");
    f.batch.advance({.segment = 7, .offset = 0, .batch_seq = 9, .next_lsn = 90, .prev_chain = 5},
                    0);
    REQUIRE(f.sink->write(f.batch, kNowMs).outcome == Outcome::done);
    CHECK(f.only_order().user_id == "late");
    CHECK(f.only_order().refund_due == 40);
    CHECK(f.only_order().payment_id == "p1");
    CHECK(f.contents().payments.size() == 2);
    REQUIRE(f.contents().positions.size() == 1);
    CHECK(f.contents().positions[0].position.segment == 7);
    // The stream has a position now, so a rebuild that comes late must not write.
    add_images("too late");
    CHECK(f.sink->write(f.batch, kNowMs).outcome == Outcome::conflict);
  }

  TEST_CASE_TEMPLATE("images complete an older database and its position moves with the last ones",
                     Database, SqliteDatabase, PostgresDatabase) {
    SinkFixture<Database> f;
    f.connect();
    REQUIRE(f.write({reserve(1, "early"), reserve(2)}).outcome == Outcome::done);
    REQUIRE(f.write({payment(RecordType::refund_due, 1, "p2", 40)}).outcome == Outcome::done);
    const auto add_images = [&] {
      f.batch.start_rebuild(kStream, f.position);
      f.batch.add(0,
                  orderlog::OrderImage{
                      .reserve = reserve(1, "late"), .state = OrderState::paid, .refund_due = 90});
      f.batch.add(0, orderlog::PaymentImage{payment(RecordType::refund_due, 1, "p2", 40)});
      f.batch.add(0, orderlog::PaymentImage{payment(RecordType::refund_due, 1, "p3", 50)});
      f.batch.add(0, orderlog::PaymentImage{paid(1)});
    };
    for (int time = 0; time < 2; ++time) {
      add_images();
      REQUIRE(f.sink->write(f.batch, kNowMs).outcome == Outcome::done);
      CHECK(f.contents().positions.at(0).position == f.position);
    }
    add_images();
    f.batch.advance({.segment = 7, .offset = 0, .batch_seq = 9, .next_lsn = 90, .prev_chain = 5},
                    0);
    REQUIRE(f.sink->write(f.batch, kNowMs).outcome == Outcome::done);
    const Contents now = f.contents();
    REQUIRE(now.orders.size() == 2);
    CHECK(now.orders[0].user_id == "late");
    CHECK(now.orders[0].state == "paid");
    CHECK(now.orders[0].refund_due == 90);
    CHECK(now.orders[0].payment_id == "p1");
    CHECK(now.payments.size() == 3);
    CHECK(now.positions.at(0).position.segment == 7);
    // The position has moved, so what comes late must not write.
    add_images();
    CHECK(f.sink->write(f.batch, kNowMs).outcome == Outcome::conflict);
  }

  TEST_CASE_TEMPLATE("the outermost orders are those of the node and of whole numbers", Database,
                     SqliteDatabase, PostgresDatabase) {
    SinkFixture<Database> f;
    f.connect();
    const auto add = [&](uint32_t node, uint64_t sequence, uint32_t slot) {
      orderlog::Reserve order = reserve(1, "u7", 2);
      order.order = OrderId::make(node, sequence, slot);
      REQUIRE(f.write({order}).outcome == Outcome::done);
    };
    const auto ids = [&](size_t count_max) {
      const auto orders = f.sink->outermost_orders(3, count_max);
      REQUIRE(orders);
      const auto looked = look_at_outermost_orders(f.database.url(), 3, count_max);
      REQUIRE(looked);
      std::vector<uint64_t> sequences;
      for (const KnownOrder& order : *orders) sequences.push_back(order.id.sequence());
      CHECK(looked->size() == sequences.size());
      return sequences;
    };
    CHECK(ids(9).empty());
    add(2, 1, 0), add(4, 1, 0);
    CHECK(ids(9).empty());
    add(3, 5, 0), add(3, 6, 0), add(3, 7, 1), add(3, 7, 2), add(3, 8, 0), add(3, 9, 0);
    CHECK(ids(3) ==
          std::vector<uint64_t>{5, 6, 9, 8});  // of the third number each there may be more
    CHECK(ids(9).size() == 12);
    const auto orders = f.sink->outermost_orders(3, 9);
    CHECK(orders->at(0).id == OrderId::make(3, 5, 0));
    CHECK(orders->at(0).user == "u7");
    CHECK(orders->at(0).quantity == 2);
    CHECK(orders->at(0).amount == 110'700);
    CHECK(orders->at(0).created_at == "2026-12-01T00:00:00.001Z");
  }

  TEST_CASE_TEMPLATE("the reader gives totals by state and item", Database, SqliteDatabase,
                     PostgresDatabase) {
    SinkFixture<Database> f;
    f.connect();
    f.names.set(1, "seat");
    orderlog::Reserve seat = reserve(4, "u4", 5);
    seat.item = 1;
    f.write({reserve(1), reserve(2, "u2", 3), reserve(3), seat, paid(2), expire(3)});
    auto reader = open_database_reader(f.database.url());
    REQUIRE(reader);
    const OrderTotals all = *(*reader)->order_totals("");
    CHECK(all[static_cast<size_t>(OrderState::reserved)] == OrderTotal{.orders = 2, .units = 6});
    CHECK(all[static_cast<size_t>(OrderState::paid)] == OrderTotal{.orders = 1, .units = 3});
    CHECK(all[static_cast<size_t>(OrderState::expired)] == OrderTotal{.orders = 1, .units = 1});
    CHECK((*(*reader)->order_totals("seat"))[0] == OrderTotal{.orders = 1, .units = 5});
  }

  TEST_CASE_TEMPLATE("the reader's lists come in pages in order of their keys", Database,
                     SqliteDatabase, PostgresDatabase) {
    SinkFixture<Database> f;
    f.connect();
    f.write({reserve(3), reserve(1), reserve(2), paid(2, "p3"), paid(1, "p2"),
             payment(RecordType::refund_due, 1, "p3", 1),
             payment(RecordType::refund_due, 1, "p1", 1), expire(9), expire(8), expire(7)});
    auto opened = open_database_reader(f.database.url());
    REQUIRE(opened);
    DatabaseReader& reader = **opened;
    const Contents all = f.contents();
    CHECK(read_pages<StoredOrder>([&](const StoredOrder& last) {
            return reader.orders_after(last.order_id, 2);
          }) == all.orders);
    CHECK(all.orders.size() == 3);
    CHECK(std::ranges::is_sorted(all.orders, {}, &StoredOrder::order_id));
    CHECK(read_pages<StoredPayment>([&](const StoredPayment& last) {
            return reader.payments_after(last.order_id, last.payment_id, 2);
          }) == all.payments);
    CHECK(all.payments.size() == 4);
    const auto rejects = read_pages<StoredReject>(
        [&](const StoredReject& last) { return reader.rejects_after(last.id, 2); });
    CHECK(rejects.size() == 3);
    CHECK(std::ranges::is_sorted(rejects, {}, &StoredReject::id));
  }

  TEST_CASE_TEMPLATE("the newest order of a node is the one with the highest sequence number",
                     Database, SqliteDatabase, PostgresDatabase) {
    SinkFixture<Database> f;
    f.connect();
    orderlog::Reserve other_node = reserve(9);
    other_node.order = OrderId::make(1, 7, 16'383);
    orderlog::Reserve high_slot = reserve(4);
    high_slot.order = OrderId::make(0, 4, 16'383);
    f.write({reserve(5), high_slot, other_node});
    CHECK(*look_at_newest_order(f.database.url(), 0) == order_id(5));
    CHECK(*look_at_newest_order(f.database.url(), 1) == other_node.order);
    CHECK(*look_at_newest_order(f.database.url(), 2) == OrderId{});
  }

  TEST_CASE_TEMPLATE("a reader sees one state until it asks for a newer one", Database,
                     SqliteDatabase, PostgresDatabase) {
    SinkFixture<Database> f;
    f.connect();
    f.write({reserve(1)});
    auto reader = open_database_reader(f.database.url());
    REQUIRE(reader);
    f.write({reserve(2)});
    CHECK((*(*reader)->order_totals(""))[0].orders == 1);
    REQUIRE((*reader)->refresh());
    CHECK((*(*reader)->order_totals(""))[0].orders == 2);
  }

  TEST_CASE_TEMPLATE("looking at the positions makes nothing and sees what was written", Database,
                     SqliteDatabase, PostgresDatabase) {
    SinkFixture<Database> f;
    auto looked = look_at_positions(f.database.url());
    REQUIRE_MESSAGE(looked, (looked ? "" : looked.error().message));
    CHECK((*looked).empty());
    auto newest = look_at_newest_order(f.database.url(), 0);
    REQUIRE_MESSAGE(newest, (newest ? "" : newest.error().message));
    CHECK(*newest == OrderId{});
    CHECK_FALSE(open_database_reader(f.database.url()));  // there are no tables yet
    f.connect();
    REQUIRE(f.write({reserve(1)}).outcome == Outcome::done);
    f.sink.reset();
    looked = look_at_positions(f.database.url());
    REQUIRE_MESSAGE(looked, (looked ? "" : looked.error().message));
    REQUIRE((*looked).size() == 1);
    CHECK((*looked)[0].position == f.position);
  }
}
