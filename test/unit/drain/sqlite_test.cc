// What is SQLite's own: its lock, its files, its disk. The rest is in sink_test.cc.
#include "drain/sqlite.h"

#include <unistd.h>

#include "drain/sqlite_connection.h"
#include "sink_fixture.h"

namespace {

using namespace stampede;
using namespace stampede::drain;
using namespace stampede::drain::testing;

struct Fixture : SinkFixture<SqliteDatabase> {
  // Somebody else's connection.
  SqliteConnection other() {
    auto opened = SqliteConnection::open(path, SQLITE_OPEN_READWRITE, 0);
    REQUIRE(opened);
    return std::move(*opened);
  }

  std::string path = database.path();
};

}  // namespace

TEST_SUITE("drain/sqlite") {
  TEST_CASE_FIXTURE(Fixture,
                    "while somebody else holds the lock nothing is written and nothing is lost") {
    connect();
    SqliteConnection rival = other();
    REQUIRE(rival.execute("BEGIN IMMEDIATE") == SQLITE_OK);
    check_retry({reserve(1)}, "locked");
    REQUIRE(rival.execute("COMMIT") == SQLITE_OK);
    CHECK(write({reserve(1)}).outcome == Outcome::done);
    CHECK(contents().orders.size() == 1);
  }

  TEST_CASE_FIXTURE(Fixture, "a row that a trigger skips is set aside instead of being lost") {
    connect();
    REQUIRE(write({reserve(1)}).outcome == Outcome::done);
    const auto skip = [&](const std::string& what, const std::string& condition) {
      database.execute("CREATE TRIGGER skip_" + what.substr(what.rfind(' ') + 1) + " BEFORE " +
                       what + " WHEN " + condition + " BEGIN SELECT RAISE(IGNORE); END");
    };
    skip("INSERT ON orders", "NEW.user_id='bad'");
    skip("INSERT ON payments", "NEW.payment_id='p1'");
    const Written written = write({reserve(2), reserve(3, "bad"), paid(1, "p1")});
    CHECK(written.outcome == Outcome::done);
    CHECK(written.rejected == 2);
    database.execute(
        "CREATE TRIGGER skip_changes BEFORE UPDATE ON orders BEGIN SELECT RAISE(IGNORE); END");
    CHECK(write({expire(2)}).rejected == 1);
    const Contents now = contents();
    CHECK(now.orders.size() == 2);
    CHECK(now.payments.empty());
    REQUIRE(now.rejects.size() == 3);
    for (const StoredReject& reject : now.rejects)
      CHECK(reject.reason == "a trigger skipped the row");
  }

  TEST_CASE_FIXTURE(Fixture, "rows whose trigger fails are set aside when others are taken") {
    connect();
    database.execute(
        "CREATE TRIGGER parse BEFORE INSERT ON orders "
        "BEGIN SELECT json_extract(NEW.user_id, '$.name'); END");
    check_retry({reserve(1, "bad")}, "malformed JSON");
    connect();
    const Written written =
        write({reserve(1, "bad"), reserve(2, "{}"), reserve(3, "worse"), reserve(4, "{}")});
    CHECK(written.outcome == Outcome::done);
    CHECK(written.rejected == 2);
    const Contents now = contents();
    CHECK(now.orders.size() == 2);
    REQUIRE(now.rejects.size() == 2);
    CHECK(now.rejects[0].reason == "malformed JSON");
    CHECK(now.rejects[1].lsn == 3);
  }

  TEST_CASE_FIXTURE(Fixture, "rows that roll the transaction back are set aside") {
    connect();
    database.execute(
        "CREATE TRIGGER roll BEFORE INSERT ON orders WHEN NEW.user_id='bad' "
        "BEGIN SELECT RAISE(ROLLBACK, 'not this one'); END");
    const Written written =
        write({reserve(1), reserve(2, "bad"), reserve(3), reserve(4, "bad"), paid(1)});
    CHECK(written.outcome == Outcome::done);
    CHECK(written.rejected == 2);
    const Contents now = contents();
    CHECK(now.orders.size() == 2);
    CHECK(now.payments.size() == 1);
    CHECK(now.positions.at(0).position == *position);
    REQUIRE(now.rejects.size() == 2);
    CHECK(now.rejects[0].reason == "not this one");
    CHECK(now.rejects[1].lsn == 4);
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
    check_retry(records, "full");
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
    check_retry({reserve(2)}, "removed or replaced");
    const auto positions = sink->positions();
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
    const auto positions = sink->positions();
    REQUIRE(positions);
    CHECK((*positions).empty());
  }

  TEST_CASE_FIXTURE(Fixture, "a folder that does not exist is an error with the path") {
    SqliteSink lost(database.file("nowhere/orders.db"));
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
    CHECK_FALSE(sink->positions());
    CHECK(std::filesystem::file_size(path) == text.size());
  }

  TEST_CASE_FIXTURE(Fixture, "looking at a database at rest makes no file beside it") {
    connect();
    REQUIRE(write({reserve(1)}).outcome == Outcome::done);
    sink.reset();
    REQUIRE(access((path + "-wal").c_str(), F_OK) != 0);
    const auto looked = look_at_positions(database.url());
    REQUIRE(looked);
    CHECK((*looked).size() == 1);
    for (const char* suffix : {"-wal", "-shm"}) CHECK(access((path + suffix).c_str(), F_OK) != 0);
    CHECK(look_at_positions({.kind = DatabaseUrl::Kind::sqlite, .path = path + "#100%?none"}));
    CHECK(access((path + "#100%?none").c_str(), F_OK) != 0);
  }
}
