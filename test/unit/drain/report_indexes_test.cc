#include "drain/report_indexes.h"

#include <doctest/doctest.h>

#include "sink_fixture.h"

namespace stampede::drain::testing {
namespace {

// Rows of a plan that name the index.
template <typename Database>
bool uses(Database& database, const std::string& query, const std::string& index);

template <>
bool uses(SqliteDatabase& database, const std::string& query, const std::string& index) {
  auto opened = SqliteConnection::open(database.path(), SQLITE_OPEN_READONLY, 0);
  REQUIRE(opened);
  auto plan = opened->prepare(("EXPLAIN QUERY PLAN " + query).c_str());
  REQUIRE(plan);
  while (plan->next() == SQLITE_ROW)
    if (contains(plan->text(3), index)) return true;
  return false;
}

template <>
bool uses(PostgresDatabase& database, const std::string& query, const std::string& index) {
  servers::PostgresClient client = database.client();
  REQUIRE(client.execute("SET enable_seqscan=off"));
  return contains(client.text("EXPLAIN (FORMAT JSON) " + query), index);
}

TEST_SUITE("drain/report_indexes") {
  TEST_CASE_TEMPLATE("reports find their rows by indexes, made once and as often as one likes",
                     Database, SqliteDatabase, PostgresDatabase) {
    SinkFixture<Database> f;
    f.connect();
    REQUIRE(f.write({reserve(1), paid(1)}).outcome == Outcome::done);
    for (int time = 0; time < 2; ++time) {
      std::vector<std::string> names;
      const Status made = make_report_indexes(
          f.database.url(), [&](std::string_view name) { names.emplace_back(name); });
      REQUIRE_MESSAGE(made, (made ? "" : made.error().message));
      CHECK(names.size() == 4);
    }
    CHECK(uses(f.database, "SELECT qty FROM orders WHERE item='ticket' AND state='paid'",
               "orders_by_item"));
    CHECK(uses(f.database, "SELECT qty FROM orders WHERE user_id='u'", "orders_by_user"));
    CHECK(
        uses(f.database, "SELECT qty FROM orders WHERE created_at<'2026-01-01'", "orders_by_time"));
    CHECK(uses(f.database, "SELECT amount FROM payments WHERE received_at<'2026-01-01'",
               "payments_by_time"));
    // The drainer goes on.
    CHECK(f.write({reserve(2)}).outcome == Outcome::done);
  }

  TEST_CASE("a build that was broken off is begun again") {
    SinkFixture<PostgresDatabase> f;
    f.connect();
    // Two orders of one user: a unique index fails and stays behind, invalid.
    REQUIRE(f.write({reserve(1), reserve(2)}).outcome == Outcome::done);
    servers::PostgresClient client = f.database.client();
    CHECK_FALSE(client.execute("CREATE UNIQUE INDEX CONCURRENTLY orders_by_user ON orders(item)"));
    REQUIRE(make_report_indexes(f.database.url(), [](std::string_view) {}));
    CHECK(client.text("SELECT indisvalid AND NOT indisunique FROM pg_index WHERE "
                      "indexrelid=to_regclass('orders_by_user')") == "t");
  }

  TEST_CASE("a database that is away is an error that names it") {
    const Status away = make_report_indexes(
        {.kind = DatabaseUrl::Kind::postgres, .url = "postgres://nobody@127.0.0.1:1/none"},
        [](std::string_view) {});
    REQUIRE_FALSE(away);
    CHECK(contains(away.error().message, "127.0.0.1"));
    CHECK_FALSE(make_report_indexes({.kind = DatabaseUrl::Kind::sqlite, .path = "/nowhere/db"},
                                    [](std::string_view) {}));
  }
}

}  // namespace
}  // namespace stampede::drain::testing
