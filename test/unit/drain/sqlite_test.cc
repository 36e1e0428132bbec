#include "drain/sqlite.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "drain/row_text.h"
#include "drain/sqlite_connection.h"
#include "support.h"

namespace {

using namespace stampede;
using namespace stampede::drain;
using namespace stampede::drain::testing;
using orderlog::RecordType;

constexpr StreamKey kStream = {.node = 3, .generation = 2, .shard = 1};
constexpr int64_t kNowMs = kStartMs + 60'000;

// A stream whose every write() is one batch behind the one before.
struct Fixture {
  Fixture() { set_ticket(names); }

  const Batch& next_batch(std::vector<orderlog::Record> records) {
    batch.start(kStream, position);
    orderlog::Position after = position.value_or(orderlog::Position{});
    for (const orderlog::Record& record : records) batch.add(after.next_lsn++, record);
    after.batch_seq += 1;
    after.offset += 4096;
    after.prev_chain = mix(after.next_lsn);
    batch.advance(after, 0);
    return batch;
  }
  Written write(std::vector<orderlog::Record> records) {
    const Written written = sink.write(next_batch(std::move(records)), kNowMs);
    if (written.outcome == Outcome::done) position = batch.after();
    return written;
  }
  void connect() { REQUIRE(sink.positions()); }
  Contents contents() { return read_contents(path); }
  StoredOrder only_order() {
    const Contents now = contents();
    REQUIRE(now.orders.size() == 1);
    return now.orders[0];
  }

  // Somebody else's connection.
  SqliteConnection other() {
    auto opened = SqliteConnection::open(path, SQLITE_OPEN_READWRITE, 0);
    REQUIRE(opened);
    return std::move(*opened);
  }

  ScratchDir dir;
  std::string path = dir.file("orders.db");
  ItemNames names;
  Batch batch{names};
  std::optional<orderlog::Position> position;
  SqliteSink sink{path};
};

bool contains(const std::string& text, const char* part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_SUITE("drain/sqlite") {
  TEST_CASE_FIXTURE(Fixture, "a new order arrives with every column as reports expect it") {
    connect();
    REQUIRE(write({reserve(1, "alice@example.org", 2)}).outcome == Outcome::done);
    const StoredOrder order = only_order();
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

  TEST_CASE_FIXTURE(Fixture, "the position moves with the rows and comes back as it was written") {
    connect();
    REQUIRE(write({reserve(1), reserve(2)}).outcome == Outcome::done);
    const auto positions = sink.positions();
    REQUIRE(positions);
    REQUIRE((*positions).size() == 1);
    CHECK((*positions)[0].stream == kStream);
    CHECK((*positions)[0].position == *position);
    CHECK(contents().positions[0].position == *position);
  }

  TEST_CASE_FIXTURE(Fixture, "every change of an order ends in its row whether folded or not") {
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
    connect();
    // Each case twice: all in one batch, and one batch for each record.
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
          REQUIRE(write(records).outcome == Outcome::done);
        } else {
          for (const orderlog::Record& record : records)
            REQUIRE(write({record}).outcome == Outcome::done);
        }
        const Contents now = contents();
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

  TEST_CASE_FIXTURE(Fixture, "a payment stands in payments with what was decided about it") {
    connect();
    write({reserve(1), paid(1, "p1"), payment(RecordType::refund_due, 1, "p2", 9),
           payment(RecordType::payment_rejected, 1, "p3", 1)});
    const Contents now = contents();
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

  TEST_CASE_FIXTURE(Fixture, "a second drainer loses the race and writes nothing") {
    connect();
    REQUIRE(write({reserve(1)}).outcome == Outcome::done);
    SqliteSink rival(path);
    REQUIRE(rival.positions());
    next_batch({reserve(2)});
    CHECK(rival.write(batch, kNowMs).outcome == Outcome::done);
    CHECK(sink.write(batch, kNowMs).outcome == Outcome::conflict);
    CHECK(contents().orders.size() == 2);
    // It reads where the winner is and goes on there.
    position = (*sink.positions())[0].position;
    CHECK(write({reserve(3)}).outcome == Outcome::done);
    CHECK(contents().orders.size() == 3);
    CHECK(contents().rejects.empty());
  }

  TEST_CASE_FIXTURE(Fixture, "two drainers that both begin at the beginning do not both write") {
    connect();
    SqliteSink rival(path);
    REQUIRE(rival.positions());
    next_batch({reserve(1)});
    CHECK(rival.write(batch, kNowMs).outcome == Outcome::done);
    CHECK(sink.write(batch, kNowMs).outcome == Outcome::conflict);
    CHECK(contents().orders.size() == 1);
  }

  TEST_CASE_FIXTURE(Fixture, "a position with another chain value is not the expected one") {
    connect();
    REQUIRE(write({reserve(1)}).outcome == Outcome::done);
    position->prev_chain ^= 1;
    CHECK(write({reserve(2)}).outcome == Outcome::conflict);
    CHECK(contents().orders.size() == 1);
  }

  TEST_CASE_FIXTURE(Fixture, "rows that a constraint refuses are set aside and the others arrive") {
    connect();
    REQUIRE(other().execute(
                "CREATE TRIGGER narrow BEFORE INSERT ON orders WHEN length(new.user_id) > 10 "
                "BEGIN SELECT RAISE(ABORT, 'user_id too long'); END") == SQLITE_OK);
    const Written written = write({reserve(1), reserve(2, "far-too-long-a-name"), reserve(3)});
    CHECK(written.outcome == Outcome::done);
    CHECK(written.rejected == 1);
    const Contents now = contents();
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

  TEST_CASE_FIXTURE(Fixture,
                    "an order id that is already there is set aside and the first row stays") {
    connect();
    write({reserve(1, "first")});
    CHECK(write({reserve(1, "second"), reserve(2)}).rejected == 1);
    CHECK(contents().orders[0].user_id == "first");
    CHECK(contents().orders.size() == 2);
    CHECK(contains(contents().rejects[0].reason, "orders.order_id"));
  }

  TEST_CASE_FIXTURE(Fixture, "a change of an order that is not there is set aside") {
    connect();
    const Written written = write({expire(8), reserve(9)});
    CHECK(written.outcome == Outcome::done);
    CHECK(written.rejected == 1);
    CHECK(contents().rejects[0].reason == "there is no such order in orders");
    CHECK(contains(contents().rejects[0].record, "state=expired"));
    CHECK(contents().orders.size() == 1);
  }

  TEST_CASE_FIXTURE(Fixture,
                    "while somebody else holds the lock nothing is written and nothing is lost") {
    connect();
    SqliteConnection rival = other();
    REQUIRE(rival.execute("BEGIN IMMEDIATE") == SQLITE_OK);
    const Written written = write({reserve(1)});
    CHECK(written.outcome == Outcome::retry);
    CHECK(contains(written.cause, "locked"));
    REQUIRE(rival.execute("COMMIT") == SQLITE_OK);
    CHECK(write({reserve(1)}).outcome == Outcome::done);
    CHECK(contents().orders.size() == 1);
  }

  TEST_CASE_FIXTURE(Fixture, "a full disk is told and when room comes back all rows arrive once") {
    static int page_count_max = 40;
    int (*extension)(sqlite3*, const char**, const sqlite3_api_routines*) =
        [](sqlite3* handle, const char**, const sqlite3_api_routines*) {
          const std::string sql = "PRAGMA max_page_count=" + std::to_string(page_count_max);
          return sqlite3_exec(handle, sql.c_str(), nullptr, nullptr, nullptr);
        };
    sqlite3_auto_extension(reinterpret_cast<void (*)()>(extension));
    connect();
    sqlite3_reset_auto_extension();
    std::vector<orderlog::Record> records;
    for (uint64_t number = 1; number <= 5'000; ++number) records.push_back(reserve(number));
    const Written written = write(records);
    CHECK(written.outcome == Outcome::retry);
    CHECK(contains(written.cause, "full"));
    CHECK(contents().orders.empty());
    CHECK(contents().positions.empty());
    SqliteSink roomy(path);
    REQUIRE(roomy.positions());
    CHECK(roomy.write(next_batch(records), kNowMs).outcome == Outcome::done);
    CHECK(contents().orders.size() == 5'000);
  }

  TEST_CASE_FIXTURE(Fixture, "a WAL file removed under the open connection loses no row") {
    connect();
    REQUIRE(write({reserve(1)}).outcome == Outcome::done);
    REQUIRE(unlink((path + "-wal").c_str()) == 0);
    const Written written = write({reserve(2)});
    CHECK(written.outcome == Outcome::retry);
    CHECK(contains(written.cause, "removed or replaced"));
    const auto positions = sink.positions();
    REQUIRE(positions);
    // Whatever the database has now is where to go on: with the row of the lost WAL, or in front of
    // it.
    position = (*positions).empty() ? std::nullopt : std::optional((*positions)[0].position);
    if (!position) REQUIRE(write({reserve(1)}).outcome == Outcome::done);
    REQUIRE(write({reserve(2)}).outcome == Outcome::done);
    CHECK(contents().orders.size() == 2);
    CHECK(contents().rejects.empty());
  }

  TEST_CASE_FIXTURE(
      Fixture, "a database removed under the open connection is made anew and has no position") {
    connect();
    REQUIRE(write({reserve(1)}).outcome == Outcome::done);
    for (const char* suffix : {"", "-wal", "-shm"}) unlink((path + suffix).c_str());
    CHECK(write({reserve(2)}).outcome == Outcome::retry);
    const auto positions = sink.positions();
    REQUIRE(positions);
    CHECK((*positions).empty());
  }

  TEST_CASE_FIXTURE(Fixture, "a folder that does not exist is an error with the path") {
    SqliteSink lost(dir.file("nowhere/orders.db"));
    const auto positions = lost.positions();
    REQUIRE_FALSE(positions);
    CHECK(contains(positions.error().message, "nowhere/orders.db"));
    CHECK(lost.write(next_batch({reserve(1)}), kNowMs).outcome == Outcome::retry);
  }

  TEST_CASE_FIXTURE(Fixture, "a file that is no database is an error and stays as it is") {
    const std::string text =
        "these are my holiday pictures, not a database at all, and longer than a header";
    std::FILE* file = std::fopen(path.c_str(), "w");
    REQUIRE(file != nullptr);
    std::fputs(text.c_str(), file);
    std::fclose(file);
    CHECK_FALSE(sink.positions());
    CHECK(std::filesystem::file_size(path) == text.size());
  }

  TEST_CASE_FIXTURE(Fixture, "tables of a newer version are refused and not touched") {
    connect();
    REQUIRE(other().execute("UPDATE schema_version SET version=9") == SQLITE_OK);
    SqliteSink later(path);
    const auto positions = later.positions();
    REQUIRE_FALSE(positions);
    CHECK(contains(positions.error().message, "schema version 9"));
    CHECK_FALSE(open_database_reader({.kind = DatabaseUrl::Kind::sqlite, .path = path}));
  }

  TEST_CASE_FIXTURE(Fixture,
                    "a reject that cannot be kept stops the line instead of losing the row") {
    connect();
    REQUIRE(other().execute("CREATE TRIGGER full BEFORE INSERT ON rejected "
                            "BEGIN SELECT RAISE(ABORT, 'no more rejects'); END") == SQLITE_OK);
    const Written refused = write({reserve(1), expire(8)});
    CHECK(refused.outcome == Outcome::retry);
    CHECK(contains(refused.cause, "no more rejects"));
    CHECK(contents().orders.empty());
    connect();
    CHECK(write({reserve(1)}).outcome == Outcome::done);
  }

  TEST_CASE_FIXTURE(Fixture, "columns that somebody added do not disturb") {
    connect();
    REQUIRE(other().execute("ALTER TABLE orders ADD COLUMN note TEXT DEFAULT 'x'") == SQLITE_OK);
    CHECK(write({reserve(1), paid(1)}).outcome == Outcome::done);
    CHECK(only_order().state == "paid");
  }

  TEST_CASE_FIXTURE(Fixture, "images replace the rows of a rebuild that was cut off") {
    connect();
    const auto add_images = [&](const char* user) {
      batch.start_rebuild(kStream);
      batch.add(0, orderlog::OrderImage{
                       .reserve = reserve(1, user), .state = OrderState::paid, .refund_due = 40});
      batch.add(0, orderlog::PaymentImage{paid(1)});
      batch.add(0, orderlog::PaymentImage{payment(RecordType::refund_due, 1, "p2", 40)});
    };
    add_images("early");
    REQUIRE(sink.write(batch, kNowMs).outcome == Outcome::done);
    CHECK(contents().positions.empty());
    add_images("late");
    batch.advance({.segment = 7, .offset = 0, .batch_seq = 9, .next_lsn = 90, .prev_chain = 5}, 0);
    REQUIRE(sink.write(batch, kNowMs).outcome == Outcome::done);
    CHECK(only_order().user_id == "late");
    CHECK(only_order().refund_due == 40);
    CHECK(only_order().payment_id == "p1");
    CHECK(contents().payments.size() == 2);
    REQUIRE(contents().positions.size() == 1);
    CHECK(contents().positions[0].position.segment == 7);
    // The stream has a position now, so a rebuild that comes late must not write.
    add_images("too late");
    CHECK(sink.write(batch, kNowMs).outcome == Outcome::conflict);
  }

  TEST_CASE_FIXTURE(Fixture,
                    "the reader gives totals by state and item and pages in order of keys") {
    connect();
    names.set(1, "seat");
    orderlog::Reserve seat = reserve(4, "u4", 5);
    seat.item = 1;
    write({reserve(1), reserve(2, "u2", 3), reserve(3), seat, paid(2), expire(3)});
    auto reader = open_database_reader({.kind = DatabaseUrl::Kind::sqlite, .path = path});
    REQUIRE(reader);
    const OrderTotals all = *(*reader)->order_totals("");
    CHECK(all[static_cast<size_t>(OrderState::reserved)] == OrderTotal{.orders = 2, .units = 6});
    CHECK(all[static_cast<size_t>(OrderState::paid)] == OrderTotal{.orders = 1, .units = 3});
    CHECK(all[static_cast<size_t>(OrderState::expired)] == OrderTotal{.orders = 1, .units = 1});
    CHECK((*(*reader)->order_totals("seat"))[0] == OrderTotal{.orders = 1, .units = 5});
    std::string last;
    std::vector<std::string> ids;
    for (;;) {
      const auto page = (*reader)->orders_after(last, 3);
      REQUIRE(page);
      if ((*page).empty()) break;
      for (const StoredOrder& order : *page) ids.push_back(order.order_id);
      last = ids.back();
    }
    CHECK(ids.size() == 4);
    CHECK(std::ranges::is_sorted(ids));
  }

  TEST_CASE_FIXTURE(Fixture,
                    "the newest order of a node is the one with the highest sequence number") {
    connect();
    orderlog::Reserve other_node = reserve(9);
    other_node.order = OrderId::make(1, 7, 16'383);
    orderlog::Reserve high_slot = reserve(4);
    high_slot.order = OrderId::make(0, 4, 16'383);
    write({reserve(5), high_slot, other_node});
    auto reader = open_database_reader({.kind = DatabaseUrl::Kind::sqlite, .path = path});
    REQUIRE(reader);
    CHECK(*(*reader)->newest_order(0) == order_id(5));
    CHECK(*(*reader)->newest_order(1) == other_node.order);
    CHECK(*(*reader)->newest_order(2) == OrderId{});
  }

  TEST_CASE_FIXTURE(Fixture, "a reader sees one state until it asks for a newer one") {
    connect();
    write({reserve(1)});
    auto reader = open_database_reader({.kind = DatabaseUrl::Kind::sqlite, .path = path});
    REQUIRE(reader);
    write({reserve(2)});
    CHECK((*(*reader)->order_totals(""))[0].orders == 1);
    REQUIRE((*reader)->refresh());
    CHECK((*(*reader)->order_totals(""))[0].orders == 2);
  }
}
