// The real sink beside real standbys: one that takes over, one that lags, and one that a commit waits for in vain.
#include "../../servers/await.h"
#include "drain/drainer.h"
#include "drain/postgres.h"
#include "sink_fixture.h"

namespace {

using namespace stampede;
using namespace stampede::drain;
using namespace stampede::drain::testing;
using servers::await;
using servers::PostgresClient;
using Step = Drainer::Step;

constexpr postgres::Options kInAHurry = {.connect_s = 2, .statement_ms = 700, .silence_ms = 300};

struct Fixture : SinkFixture<PostgresDatabase> {
  Fixture() {
    sink = database.sink(kInAHurry);
    connect();
  }
  // The synchronous one; empty: none. It needs a moment to be in force.
  void set_standby(const std::string& name) {
    PostgresClient other = database.client();
    CHECK(other.execute("ALTER SYSTEM SET synchronous_standby_names='" + name + "'"));
    CHECK(other.execute("SELECT pg_reload_conf()"));
  }
};

}  // namespace

TEST_SUITE("drain/postgres_standby") {
  TEST_CASE_FIXTURE(Fixture, "after a failover the new primary among several hosts is found") {
    servers::PostgresServer& primary = database.server();
    servers::PostgresServer standby(primary);
    const std::string url = "postgres://tester@127.0.0.1:" + std::to_string(standby.port()) +
                            ",127.0.0.1:" + std::to_string(primary.port()) + "/" + database.name();
    sink = std::make_unique<PostgresSink>(url, kInAHurry);
    connect();  // not to the standby, although it stands first
    REQUIRE(write({reserve(1)}).outcome == Outcome::done);
    standby.await_in_sync(primary);
    primary.kill();
    CHECK(write({reserve(2)}).outcome == Outcome::retry);
    CHECK_FALSE(sink->positions());  // there is none yet that takes writes
    standby.promote();
    const auto positions = sink->positions();
    REQUIRE(positions);
    CHECK((*positions)[0].position == *position);
    CHECK(write({reserve(2)}).outcome == Outcome::done);
    PostgresClient rows(standby.url(database.name()));
    CHECK(rows.number("SELECT count(*) FROM orders") == 2);
    primary.restart();
  }

  TEST_CASE_FIXTURE(Fixture, "a standby alone is told to be one and checkers may read it") {
    REQUIRE(write({reserve(1)}).outcome == Outcome::done);
    servers::PostgresServer standby(database.server());
    standby.await_in_sync(database.server());
    const DatabaseUrl url = {.kind = DatabaseUrl::Kind::postgres,
                             .url = standby.url(database.name())};
    const auto reader = open_database_reader(url, ReadFrom::any_server);
    REQUIRE(reader);
    CHECK((*reader)->orders_after("", 9)->size() == 1);
    sink = make_sink(url);
    connect();
    check_retry({reserve(2)}, "read-only");
  }

  TEST_CASE_FIXTURE(Fixture, "nothing is decided by what a standby that lags says") {
    REQUIRE(write({reserve(1)}).outcome == Outcome::done);
    servers::PostgresServer standby(database.server());
    standby.await_in_sync(database.server());
    REQUIRE(PostgresClient(standby.url("postgres")).execute("SELECT pg_wal_replay_pause()"));
    database.refuse({"orders", "new.user_id = 'bad'", "no"});
    REQUIRE(write({reserve(2), reserve(3, "bad")}).rejected == 1);
    const std::string hosts = "127.0.0.1:" + std::to_string(standby.port()) +
                              ",127.0.0.1:" + std::to_string(database.server().port());
    const DatabaseUrl url = {.kind = DatabaseUrl::Kind::postgres,
                             .url = "postgres://tester@" + hosts + "/" + database.name()};
    const auto positions = look_at_positions(url);
    REQUIRE(positions);
    CHECK((*positions).at(0).position == *position);
    CHECK(*look_at_newest_order(url, 0) == order_id(2));
    CHECK(look_at_outermost_orders(url, 0, 9)->size() == 4);
    const auto reader = open_database_reader(url);
    REQUIRE(reader);
    CHECK((*reader)->rejects_after(0, 9)->size() == 1);
    // Where only the standby is named there is no answer.
    CHECK_FALSE(look_at_positions(
        {.kind = DatabaseUrl::Kind::postgres, .url = standby.url(database.name())}));
    const auto lagging = open_database_reader(url, ReadFrom::any_server);
    REQUIRE(lagging);
    CHECK((*lagging)->orders_after("", 9)->size() == 1);
  }

  // A server that is started anew shows at once what had waited for the standby.
  TEST_CASE_FIXTURE(Fixture, "rows that no standby has are not counted as written") {
    MemoryLog log;
    orderlog::Marks marks;
    SetClock clock;
    Drainer drainer(*sink, names, clock,
                    {{.key = {}, .source = &log, .marks = &marks, .log_end = log.end()}});
    uint64_t number = 0;
    const auto drain_one_more = [&] {
      log.append({reserve(++number)});
      marks.start_at(number);
      clock.pass_ms(bounds::drain_retry_ms_max);
      return drainer.step();
    };
    REQUIRE(drain_one_more() == Step::drained);
    REQUIRE(drainer.step() == Step::idle);
    set_standby("nobody");
    CHECK(await([&] { return drain_one_more() == Step::blocked; }));
    database.server().kill();
    database.server().restart();
    CHECK(database.client().number("SELECT count(*) FROM orders") == static_cast<int64_t>(number));
    clock.pass_ms(bounds::drain_retry_ms_max);
    CHECK(drainer.step() == Step::blocked);
    CHECK(marks.drained.get() == number - 1);
    CHECK(drainer.stats().rows == number - 1);
    set_standby("");
    CHECK(await([&] {
      clock.pass_ms(bounds::drain_retry_ms_max);
      return drainer.step() == Step::idle;
    }));
    CHECK(marks.drained.get() == number);
    CHECK(drainer.stats().rows == number);
  }
}
