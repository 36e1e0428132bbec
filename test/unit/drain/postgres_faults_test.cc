// The real sink under the real drainer, with a real server that is stopped, killed and started again,
// ends sessions, and loses the answer to a commit. Whatever happens, what the database shows must be
// what the records up to its own position say, and in the end all of them.
#include <atomic>
#include <thread>

#include "../../servers/await.h"
#include "drain/drainer.h"
#include "drain/postgres.h"
#include "order_life.h"
#include "sink_fixture.h"

namespace {

using namespace stampede;
using namespace stampede::drain;
using namespace stampede::drain::testing;
using servers::await;
using servers::PostgresClient;
using Step = Drainer::Step;

constexpr postgres::Options kImpatient = {.connect_s = 2, .statement_ms = 700, .silence_ms = 300};

// Sessions of sinks in this database.
std::string sessions_of(const PostgresDatabase& database, const std::string& condition = "true") {
  return " FROM pg_stat_activity WHERE application_name='stampede' AND datname='" +
         database.name() + "' AND " + condition;
}

struct Fixture : SinkFixture<PostgresDatabase> {
  Fixture() {
    sink = database.sink(kImpatient);
    connect();
  }
  // Whatever the failure was, the next try writes these records once.
  void check_that_it_goes_on(const std::vector<orderlog::Record>& records) {
    connect();
    CHECK(write(records).outcome == Outcome::done);
    CHECK(contents().orders.size() == records.size());
    CHECK(contents().rejects.empty());
  }
};

// A log and a thread that drains it, a few records in a transaction, so that there are many moments
// to fail in.
struct Life : OrderLife {
  Life() : OrderLife(400) { REQUIRE(database.sink()->positions()); }
  ~Life() { stop(); }

  void drain(Drainer& drainer, orderlog::Marks& marks, SetClock& clock) {
    // All of the log is durable before the first look: another drainer of it may have gone ahead of this one.
    begin_at(marks, log.last_lsn());
    while (!is_stopped && !drainer.is_drained()) {
      if (drainer.step() != Step::drained) std::this_thread::yield();
      clock.pass_ms(bounds::drain_retry_ms_max);
    }
    conflicts += drainer.stats().conflicts;
    retries += drainer.stats().retries;
  }
  void start_drainer() {
    ++running;
    threads.emplace_back([this] {
      const auto sink = database.sink(kImpatient);
      orderlog::Marks marks;
      SetClock clock;
      Drainer drainer(
          *sink, names, clock,
          {{.key = {}, .source = &log_of_thread(), .marks = &marks, .log_end = log.end()}});
      drain(drainer, marks, clock);
      --running;
    });
  }
  // A source is one drainer's.
  MemoryLog& log_of_thread() {
    thread_local MemoryLog copy;
    copy = log;
    copy.set_batches_per_transaction(2);
    return copy;
  }
  void wait() {
    for (std::thread& thread : threads) thread.join();
    threads.clear();
  }
  void stop() {
    is_stopped = true;
    wait();
  }

  Lsn check_consistent() { return check_rows(read_contents(database.url())); }
  void check_complete() { CHECK(check_consistent() == records.size()); }

  PostgresDatabase database;
  std::atomic<bool> is_stopped{false};
  std::atomic<int> running{0};
  std::atomic<uint64_t> conflicts{0}, retries{0};
  std::vector<std::thread> threads;
};

}  // namespace

TEST_SUITE("drain/postgres_faults") {
  TEST_CASE_FIXTURE(Fixture, "a session that ends before its commit has written nothing") {
    database.execute(
        "CREATE FUNCTION leave() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$; "
        "CREATE TRIGGER leave AFTER INSERT ON orders EXECUTE FUNCTION leave()");
    check_retry({reserve(1)}, "terminating connection");
    database.execute("DROP TRIGGER leave ON orders");
    check_that_it_goes_on({reserve(1)});
  }

  TEST_CASE_FIXTURE(Fixture, "a session that ends in its commit has an unknown outcome") {
    database.execute(
        "CREATE FUNCTION leave() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$; "
        "CREATE CONSTRAINT TRIGGER leave AFTER INSERT ON orders DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION leave()");
    CHECK(write({reserve(1)}).outcome == Outcome::unknown);
    database.execute("DROP TRIGGER leave ON orders");
    CHECK(contents().orders.empty());
    check_that_it_goes_on({reserve(1)});
  }

  // The server waits for a standby that there is not, after it has committed and before it says so.
  TEST_CASE_FIXTURE(Fixture, "a commit whose answer was lost is found and not written twice") {
    PostgresClient other = database.client();
    REQUIRE(other.execute("ALTER SYSTEM SET synchronous_standby_names='nobody'"));
    REQUIRE(other.execute("SELECT pg_reload_conf()"));
    std::thread terminator([&] {
      PostgresClient admin = database.client();
      CHECK(await([&] {
        return admin.number("SELECT count(pg_terminate_backend(pid))" +
                            sessions_of(database, "wait_event='SyncRep'")) > 0;
      }));
    });
    // The setting needs a moment to be in force.
    Written written;
    uint64_t number = 0;
    CHECK(await([&] {
      written = write({reserve(++number)});
      return written.outcome != Outcome::done;
    }));
    terminator.join();
    CHECK(other.execute("ALTER SYSTEM RESET synchronous_standby_names"));
    CHECK(other.execute("SELECT pg_reload_conf()"));
    CHECK(written.outcome == Outcome::unknown);
    const auto positions = sink->positions();
    REQUIRE(positions);
    REQUIRE((*positions).size() == 1);
    CHECK((*positions)[0].position == *batch.after());
    CHECK(contents().orders.size() == number);
    // Who did not look would be told.
    CHECK(sink->write(batch, kNowMs).outcome == Outcome::conflict);
    CHECK(contents().orders.size() == number);
  }

  TEST_CASE_FIXTURE(Fixture, "a stopped server delays rows and loses none") {
    database.server().pause();
    check_retry({reserve(1)}, "no answer within 1.00 s");
    CHECK_FALSE(sink->positions());
    database.server().resume();
    check_that_it_goes_on({reserve(1)});
  }

  TEST_CASE_FIXTURE(Fixture, "a killed server delays rows and loses none") {
    database.server().kill();
    CHECK(write({reserve(1)}).outcome == Outcome::retry);
    CHECK_FALSE(sink->positions());
    CHECK(write({reserve(1)}).outcome == Outcome::retry);
    database.server().restart();
    check_that_it_goes_on({reserve(1)});
  }

  TEST_CASE_FIXTURE(Fixture, "a database that takes only reads is left for one that takes writes") {
    database.execute("ALTER DATABASE " + database.name() + " SET default_transaction_read_only=on");
    sink = database.sink(kImpatient);
    connect();
    check_retry({reserve(1)}, "read-only");
    PostgresClient other(database.server().url("postgres"));
    CHECK(other.execute("ALTER DATABASE " + database.name() +
                        " RESET default_transaction_read_only"));
    check_that_it_goes_on({reserve(1)});  // by a new connection: the old one would be refused again
  }

  TEST_CASE_FIXTURE(Fixture, "somebody else's lock delays rows and loses none") {
    PostgresClient other = database.client();
    REQUIRE(other.execute("BEGIN; LOCK TABLE orders"));
    check_retry({reserve(1)}, "lock timeout");
    REQUIRE(other.execute("COMMIT"));
    check_that_it_goes_on({reserve(1)});
  }

  TEST_CASE_FIXTURE(Fixture, "a statement that takes too long is tried again") {
    database.execute(
        "CREATE FUNCTION doze() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM pg_sleep(60); RETURN new; END $$; "
        "CREATE TRIGGER doze BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION doze()");
    const Written written = write({reserve(1)});
    CHECK(written.outcome == Outcome::retry);
    CHECK(written.is_too_long);
    CHECK_MESSAGE(contains(written.cause, "statement timeout"), written.cause);
    database.execute("DROP TRIGGER doze ON orders");
    check_that_it_goes_on({reserve(1)});
  }

  TEST_CASE_FIXTURE(Life, "without a fault the database ends as the log says") {
    INFO("seed " << seed);
    start_drainer();
    wait();
    check_complete();
  }

  TEST_CASE_FIXTURE(Life, "two drainers of one stream together write every row once") {
    INFO("seed " << seed);
    start_drainer();
    start_drainer();
    wait();
    check_complete();
    CHECK(conflicts > 0);
  }

  TEST_CASE_FIXTURE(Life, "sessions ended at any moment delay rows and lose none") {
    INFO("seed " << seed);
    PostgresClient admin = database.client();
    start_drainer();
    int64_t ended = 0;
    while (running > 0 && ended < 100)
      ended += admin.number("SELECT count(pg_terminate_backend(pid))" + sessions_of(database));
    wait();
    check_complete();
    CHECK(ended > 0);
    CHECK(retries > 0);
  }

  TEST_CASE_FIXTURE(Life, "a server killed while it writes comes back with rows that match") {
    INFO("seed " << seed);
    start_drainer();
    for (int kills = 0; kills < 3 && running > 0; ++kills) {
      CAPTURE(kills);
      // Somewhere in the middle of a transaction, a third further each time.
      PostgresClient other = database.client();
      await([&] {
        return running == 0 || other.number("SELECT coalesce(max(lsn), 0) FROM drain_position") >
                                   static_cast<int64_t>(records.size()) * (kills + 1) / 5;
      });
      database.server().kill();
      database.server().restart();
      check_consistent();
    }
    wait();
    check_complete();
    CHECK(retries > 0);
  }
}
