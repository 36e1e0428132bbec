// What is PostgreSQL's own: bad rows found by halves, members that are no more, its schema. What all
// sinks do is in sink_test.cc.
#include "drain/postgres.h"

#include <algorithm>
#include <atomic>
#include <barrier>
#include <thread>

#include "../../servers/await.h"
#include "cluster/postgres_registry.h"
#include "sink_fixture.h"

namespace {

using namespace stampede;
using namespace stampede::drain;
using namespace stampede::drain::testing;

struct Fixture : SinkFixture<PostgresDatabase> {
  // A refusal that comes with the commit unless somebody asks for it before.
  void refuse_late(const std::string& user) {
    database.execute(
        "CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE 'too late, %', new.user_id; END $$; "
        "CREATE CONSTRAINT TRIGGER late AFTER INSERT ON orders DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW WHEN (new.user_id='" +
        user + "') EXECUTE FUNCTION late()");
  }
  void set_member(const std::string& state) {
    database.execute("INSERT INTO members(node, uuid, state) VALUES(3, 'x', '" + state +
                     "') ON CONFLICT (node) DO UPDATE SET state=excluded.state");
  }
  // Of sessions of this database.
  bool waits(const std::string& lock) {
    return database.client().number(
               "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE "
               "a.datname='" +
               database.name() + "' AND NOT l.granted AND " + lock) > 0;
  }
};

// Another process that builds the rows of the stream, on a connection of its own.
struct Builder {
  explicit Builder(Fixture& fixture) : batch(fixture.names), sink(fixture.database.sink()) {
    REQUIRE(sink->positions());
    batch.start_rebuild(kStream, std::nullopt);
  }
  void add_image(uint64_t number, const char* user) {
    batch.add(
        0, orderlog::OrderImage{.reserve = reserve(number, user), .state = OrderState::reserved});
  }
  Outcome write() { return sink->write(batch, kNowMs).outcome; }

  Batch batch;
  std::unique_ptr<Sink> sink;
};

}  // namespace

TEST_SUITE("drain/postgres") {
  TEST_CASE_FIXTURE(Fixture, "times are moments and not texts") {
    connect();
    write({reserve(1)});
    CHECK(database.client().text("SELECT created_at AT TIME ZONE 'Asia/Shanghai' FROM orders") ==
          "2026-12-01 08:00:00.001");
  }

  TEST_CASE_FIXTURE(Fixture, "a zero byte is set aside and the others arrive") {
    connect();
    const Written written =
        write({reserve(1), reserve(2, std::string_view("al\0ice", 6)), reserve(3)});
    CHECK(written.outcome == Outcome::done);
    CHECK(written.rejected == 1);
    const Contents now = contents();
    CHECK(now.orders.size() == 2);
    REQUIRE(now.rejects.size() == 1);
    CHECK(now.rejects[0].lsn == 2);
    CHECK(contains(now.rejects[0].record, "user_id=al\\x00ice qty=1"));
  }

  TEST_CASE_FIXTURE(Fixture, "bytes that are no UTF-8 are set aside and the others arrive") {
    connect();
    CHECK(write({reserve(1), reserve(2, "\xff\xfe"),
                 payment(orderlog::RecordType::payment_rejected, 1, "\xc3\x28")})
              .rejected == 2);
    const Contents now = contents();
    CHECK(now.orders.size() == 1);
    REQUIRE(now.rejects.size() == 2);
    CHECK(contains(now.rejects[0].record, "\\xff\\xfe"));
    CHECK(contains(now.rejects[1].record, "\\xc3("));
  }

  TEST_CASE_FIXTURE(Fixture, "a column that somebody made too narrow sets rows aside") {
    connect();
    database.execute("ALTER TABLE orders ALTER user_id TYPE varchar(5)");
    CHECK(write({reserve(1, "short"), reserve(2, "longer")}).rejected == 1);
    CHECK(contents().rejects[0].reason == "value too long for type character varying(5)");
  }

  TEST_CASE_FIXTURE(Fixture, "a row that a trigger skips is set aside instead of being lost") {
    connect();
    database.execute(
        "CREATE FUNCTION skip() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$; "
        "CREATE TRIGGER skip BEFORE INSERT ON orders FOR EACH ROW WHEN (new.user_id='bad') "
        "EXECUTE FUNCTION skip()");
    CHECK(write({reserve(1), reserve(2, "bad"), reserve(3)}).rejected == 1);
    CHECK(contents().orders.size() == 2);
    CHECK(contents().rejects[0].reason == "a trigger skipped the row");
  }

  TEST_CASE_FIXTURE(Fixture, "a constraint that waits for the commit sets its row aside too") {
    connect();
    refuse_late("bad");
    const Written written = write({reserve(1), reserve(2, "bad"), reserve(3)});
    CHECK(written.outcome == Outcome::done);
    CHECK(written.rejected == 1);
    CHECK(contents().orders.size() == 2);
    CHECK(contents().rejects[0].reason == "too late, bad");
  }

  TEST_CASE_FIXTURE(Fixture, "errors with codes of somebody's own are refusals of a row") {
    connect();
    for (const std::string code :
         {"P0001", "U0001", "90001", "ZZZZZ", "23514", "22000", "20000", "2F005"}) {
      CAPTURE(code);
      const uint64_t number = position ? position->next_lsn : 1;
      database.execute(
          "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
          "$$ BEGIN RAISE 'no' USING ERRCODE='" +
          code +
          "'; END $$; "
          "DROP TRIGGER IF EXISTS refuse ON orders; "
          "CREATE TRIGGER refuse BEFORE INSERT ON orders FOR EACH ROW WHEN (new.user_id='bad') "
          "EXECUTE FUNCTION refuse()");
      const Written written = write({reserve(number), reserve(number + 1, "bad")});
      CHECK(written.outcome == Outcome::done);
      CHECK(written.rejected == 1);
    }
  }

  TEST_CASE_FIXTURE(Fixture, "rows that a policy keeps out are set aside when others are taken") {
    connect();
    database.execute(
        "CREATE FUNCTION keep_out() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE 'by a policy' USING ERRCODE='42501'; END $$; "
        "CREATE TRIGGER keep_out BEFORE INSERT ON orders FOR EACH ROW WHEN (new.user_id='bad') "
        "EXECUTE FUNCTION keep_out()");
    CHECK(write({reserve(1, "bad"), reserve(2, "bad"), reserve(3), reserve(4, "bad")}).rejected ==
          3);
    CHECK(contents().orders.size() == 1);
    CHECK(contents().rejects.at(2).reason == "by a policy");
    std::vector<orderlog::Record> records;
    for (uint64_t number = 5; number <= 1'000; ++number) records.push_back(reserve(number, "bad"));
    check_retry(records, "by a policy");  // soon, and not behind all of them
  }

  TEST_CASE_FIXTURE(Fixture,
                    "a change that a trigger skips is told from an order that is missing") {
    connect();
    REQUIRE(write({reserve(1)}).outcome == Outcome::done);
    database.execute(
        "CREATE FUNCTION skip() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$; "
        "CREATE TRIGGER skip BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION skip()");
    CHECK(write({expire(1), expire(9)}).rejected == 2);
    CHECK(contents().rejects.at(0).reason == "a trigger skipped the row");
    CHECK(contents().rejects.at(1).reason == "there is no such order in orders");
  }

  TEST_CASE_FIXTURE(Fixture, "a search for refused rows ends when it may not go on") {
    connect();
    database.refuse({"orders", "new.user_id = 'bad'", "no"});
    const Batch& next = next_batch({reserve(1), reserve(2, "bad"), reserve(3, "bad"), reserve(4)});
    int asked = 0;
    const Written written = sink->write(next, kNowMs, [&] { return ++asked < 3; });
    CHECK(written.outcome == Outcome::retry);
    CHECK(contains(written.cause, "stopped"));
    CHECK(asked == 3);
    CHECK(contents().orders.empty());
    connect();
    CHECK(sink->write(next, kNowMs, [] { return true; }).rejected == 2);
  }

  TEST_CASE_FIXTURE(Fixture, "trouble that is not a row's keeps the whole batch for later") {
    connect();
    for (const std::string code :
         {"40001", "40P01", "53100", "53200", "55P03", "57014", "58030", "XX000", "42501"}) {
      CAPTURE(code);
      database.execute(
          "CREATE OR REPLACE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS "
          "$$ BEGIN RAISE 'trouble' USING ERRCODE='" +
          code +
          "'; END $$; "
          "DROP TRIGGER IF EXISTS fail ON orders; "
          "CREATE TRIGGER fail BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION fail()");
      connect();
      check_retry({reserve(1)}, "trouble");
    }
    CHECK(contents().orders.empty());
    CHECK(contents().rejects.empty());
    CHECK(contents().positions.empty());
    database.execute("DROP TRIGGER fail ON orders");
    connect();
    CHECK(write({reserve(1)}).outcome == Outcome::done);
  }

  TEST_CASE_FIXTURE(Fixture, "many bad rows among many good ones are each found") {
    connect();
    database.refuse({"orders", "new.user_id = 'bad'", "no"});
    std::vector<orderlog::Record> records;
    size_t bad = 0;
    for (uint64_t number = 1; number <= 3'000; ++number) {
      const bool is_bad = number % 97 == 0 || (number > 1'000 && number < 1'020);
      bad += is_bad;
      records.push_back(reserve(number, is_bad ? "bad" : "good"));
    }
    CHECK(write(records).rejected == bad);
    const Contents now = contents();
    CHECK(now.orders.size() == 3'000 - bad);
    CHECK(now.rejects.size() == bad);
    CHECK(std::ranges::is_sorted(now.rejects, {}, &StoredReject::lsn));
  }

  TEST_CASE_FIXTURE(Fixture, "the position of a batch without rows moves") {
    connect();
    REQUIRE(write({}).outcome == Outcome::done);
    CHECK(contents().positions[0].position == *position);
  }

  // ---- Members

  TEST_CASE_FIXTURE(Fixture, "a member that is active or inactive may write") {
    connect();
    set_member("active");
    CHECK(write({reserve(1)}).outcome == Outcome::done);
    set_member("inactive");
    CHECK(write({reserve(2)}).outcome == Outcome::done);
  }

  TEST_CASE_FIXTURE(Fixture, "nothing of a retired member is written") {
    connect();
    REQUIRE(write({reserve(1)}).outcome == Outcome::done);
    set_member("retired");
    const Written fenced = write({reserve(2)});
    CHECK(fenced.outcome == Outcome::fenced);
    CHECK(contains(fenced.cause, "node 3 was retired"));
    CHECK(contents().orders.size() == 1);
    // Others are not concerned.
    batch.start({.node = 4}, std::nullopt);
    batch.advance({.next_lsn = 2}, 0);
    CHECK(sink->write(batch, kNowMs).outcome == Outcome::done);
  }

  TEST_CASE_FIXTURE(Fixture, "a retirement waits for a batch under way and fences the next one") {
    connect();
    set_member("inactive");
    servers::PostgresClient other = database.client(), observer = database.client();
    const auto waiting = [&] {
      return observer.number("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type='Lock'");
    };
    REQUIRE(other.execute("BEGIN; LOCK TABLE payments"));
    Outcome outcome = Outcome::retry;
    std::thread drainer([&] {
      outcome = write({reserve(1), payment(orderlog::RecordType::refund_due, 1, "p1")}).outcome;
    });
    CHECK(servers::await([&] { return waiting() == 1; }));
    std::atomic<bool> is_retired{false};
    std::thread operation([&] {
      cluster::PostgresRegistry registry(database.url().url);
      CHECK(registry.retire(3, {}));
      is_retired = true;
    });
    CHECK(servers::await([&] { return is_retired || waiting() == 2; }));
    CHECK_FALSE(is_retired);
    REQUIRE(other.execute("COMMIT"));
    drainer.join();
    operation.join();
    CHECK(outcome == Outcome::done);
    CHECK(write({reserve(2)}).outcome == Outcome::fenced);
    CHECK(contents().orders.size() == 1);
  }

  // ---- Schema

  TEST_CASE_FIXTURE(Fixture, "many nodes that start at once make the tables once") {
    constexpr int kNodes = 8;
    std::vector<std::string> problems(kNodes);
    std::barrier all_are_here(kNodes);
    std::vector<std::thread> nodes;
    for (int i = 0; i < kNodes; ++i)
      nodes.emplace_back([&, i] {
        const auto node_sink = make_sink(database.url());
        all_are_here.arrive_and_wait();
        if (const auto positions = node_sink->positions(); !positions)
          problems[i] = positions.error().message;
      });
    for (std::thread& node : nodes) node.join();
    for (const std::string& problem : problems) CHECK(problem == "");
    CHECK(database.client().number("SELECT count(*) FROM schema_version") == 1);
  }

  TEST_CASE_FIXTURE(Fixture, "a database whose every table is published gets its tables and rows") {
    database.execute("CREATE PUBLICATION everything FOR ALL TABLES");
    connect();
  }

  TEST_CASE_FIXTURE(Fixture, "older tables that are published are brought up to date") {
    connect();
    database.execute(
        "ALTER TABLE schema_version DROP CONSTRAINT schema_version_pkey; "
        "ALTER TABLE members DROP COLUMN counted_from; ALTER TABLE supply DROP COLUMN brought_by; "
        "UPDATE schema_version SET version=2; CREATE PUBLICATION everything FOR ALL TABLES");
    const auto positions = database.sink()->positions();
    CHECK_MESSAGE(positions, (positions ? "" : positions.error().message));
    CHECK(database.client().number("SELECT version FROM schema_version") == 4);
  }

  TEST_CASE_FIXTURE(Fixture, "who builds a stream beside another process turns no order back") {
    connect();
    database.execute(
        "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM pg_advisory_xact_lock(77); RETURN new; END $$; "
        "CREATE TRIGGER wait BEFORE INSERT ON orders FOR EACH ROW WHEN (new.user_id='slow') "
        "EXECUTE FUNCTION wait()");
    servers::PostgresClient gate = database.client();
    REQUIRE(gate.execute("SELECT pg_advisory_lock(77)"));
    // One has seen that there is no position, and comes to the rows late.
    Builder slow(*this), quick(*this);
    slow.add_image(2, "slow");
    slow.add_image(1, "alice");
    std::thread first([&] { CHECK(slow.write() == Outcome::done); });
    REQUIRE(servers::await([&] { return waits("l.objid=77"); }));
    // The other builds all of it, and goes on with the log.
    quick.add_image(1, "alice");
    quick.batch.advance({.batch_seq = 9, .next_lsn = 90, .prev_chain = 5}, 0);
    std::atomic<bool> has_ended{false};
    std::thread second([&] {
      CHECK(quick.write() == Outcome::done);
      quick.batch.start(kStream, quick.batch.after());
      quick.batch.add(90, paid(1));
      quick.batch.advance({.batch_seq = 10, .next_lsn = 91, .prev_chain = 6}, 0);
      CHECK(quick.write() == Outcome::done);
      has_ended = true;
    });
    CHECK(servers::await(
        [&] { return has_ended || waits("l.locktype='advisory' AND l.objid<>77"); }));
    REQUIRE(gate.execute("SELECT pg_advisory_unlock(77)"));
    first.join();
    second.join();
    CHECK(contents().orders.size() == 2);
    CHECK(database.client().text("SELECT state FROM orders WHERE user_id='alice'") == "paid");
    CHECK(slow.write() == Outcome::conflict);
  }

  TEST_CASE_FIXTURE(Fixture, "a reader of a database without tables says so and makes none") {
    const auto reader = open_database_reader(database.url());
    REQUIRE_FALSE(reader);
    CHECK(contains(reader.error().message, "no tables of stampede"));
    CHECK(database.client().number(
              "SELECT count(*) FROM information_schema.tables WHERE table_schema='public'") == 0);
  }

  TEST_CASE_FIXTURE(Fixture, "tables of a version that is not known are refused with what to do") {
    connect();
    database.execute("UPDATE schema_version SET version=5");
    const auto positions = database.sink()->positions();
    REQUIRE_FALSE(positions);
    CHECK(contains(positions.error().message, "schema version 5, this stampede knows 4"));
    CHECK(contains(positions.error().message, "use the stampede that made them"));
  }

  TEST_CASE_FIXTURE(Fixture, "a reader of older tables says who brings them up to date") {
    connect();
    database.execute("UPDATE schema_version SET version=1");
    const auto reader = open_database_reader(database.url());
    REQUIRE_FALSE(reader);
    CHECK(contains(reader.error().message, "schema version 1, this stampede knows 4"));
    CHECK(contains(reader.error().message, "start a node of this version"));
  }

  TEST_CASE_FIXTURE(Fixture, "changes find their orders by key whatever the statistics say") {
    connect();
    database.execute(
        "INSERT INTO orders SELECT 'ff' || lpad(to_hex(g), 14, '0'), 'i', 'u', 1, 1, 'CNY', "
        "'reserved', "
        "now(), now(), now(), NULL, 0 FROM generate_series(1, 20000) g");
    std::vector<orderlog::Record> orders, payments;
    for (uint64_t number = 1; number <= 3'000; ++number) {
      orders.push_back(reserve(number));
      payments.push_back(paid(number));
    }
    REQUIRE(write(orders).outcome == Outcome::done);
    const auto pages_read = [&] {
      return database.client().number(
                 "SELECT pg_stat_force_next_flush(), pg_stat_clear_snapshot()") +
             database.client().number(
                 "SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname='orders'");
    };
    const int64_t before = pages_read();
    REQUIRE(write(payments).outcome == Outcome::done);
    sink.reset();  // its statistics are there when it is gone
    CHECK(pages_read() == before);
  }
}
