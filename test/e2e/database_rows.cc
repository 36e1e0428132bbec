// Orders and every change of their state reach the database exactly once, whatever the database
// does meanwhile.

#include <doctest/doctest.h>
#include <filesystem>
#include <regex>

#include "harness/rush.h"
#include "harness/server.h"

namespace stampede::e2e {
namespace {

TEST_SUITE("e2e/database_rows") {
  TEST_CASE("a row says what the API says in every state") {
    Server server({.catalog = catalog({{}, {.code = "brief", .pay_window_s = 1}}), .shards = 2});
    std::string reserved = server.buy({.user = "u1", .quantity = 2}),
                paid = server.buy({.user = "u2"});
    std::string cancelled = server.buy({.user = "u3"}),
                expired = server.buy({.user = "u4", .item = "brief"});
    REQUIRE(server.pay(paid, {.id = "pay-7"}).status == 200);
    REQUIRE(server.cancel("u3", cancelled).status == 200);
    REQUIRE(server.pay(cancelled, {.id = "pay-8"}).status == 200);
    REQUIRE(wait_until([&] { return server.state_of("u4", expired) == "expired"; }));
    REQUIRE(server.wait_drained());
    Database database(server.database_path());
    auto row = [&](const std::string& id) {
      auto rows = database.rows(
          "select item,user_id,qty,amount,currency,state,payment_id,refund_due from orders "
          "where order_id='" +
          id + "'");
      REQUIRE(rows.size() == 1);
      return rows[0];
    };
    using Row = std::vector<std::string>;
    CHECK(row(reserved) == Row{"ticket", "u1", "2", "110700", "CNY", "reserved", "NULL", "0"});
    CHECK(row(paid) == Row{"ticket", "u2", "1", "55350", "CNY", "paid", "pay-7", "0"});
    Row refunded = row(cancelled);
    CHECK(refunded[5] == "cancelled");
    CHECK(refunded[7] == "55350");
    CHECK(row(expired)[5] == "expired");
    CHECK(database.number("select count(*) from orders") == 4);
    auto payments = database.rows(
        "select payment_id, order_id, amount, currency from payments order by payment_id");
    CHECK(payments ==
          std::vector<Row>{{"pay-7", paid, "55350", "CNY"}, {"pay-8", cancelled, "55350", "CNY"}});
    Json view = server.read("u1", reserved).json();
    auto times = database.rows(
        "select created_at, pay_before, updated_at from orders where order_id='" + reserved + "'");
    CHECK(times[0][0] == view["created_at"].text());
    CHECK(times[0][1] == view["pay_before"].text());
    static const std::regex iso("\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d+)?Z");
    CHECK(std::regex_match(times[0][2], iso));
    CHECK(std::regex_match(database.text("select received_at from payments"), iso));
    CHECK(database.number("select count(*) from drain_position") >= 1);
    CHECK(database.rows("select node, shard, lsn from drain_position where shard=0").size() >= 1);
  }

  TEST_CASE("while the database is locked orders go on and afterwards all rows come once") {
    Server server({.catalog = catalog({{.stock = 10'000}}), .shards = 2});
    {
      Database blocker(server.database_path(), true);
      REQUIRE(blocker.execute("begin exclusive"));
      CHECK(tally(rush_until_decided(server.address(), crowd(1'000)))["201"] == 1'000);
      CHECK(server.status()["drainer"]["lag_records"].number() > 0);
      REQUIRE(blocker.execute("rollback"));
    }
    server.check_books();
    CHECK(Database(server.database_path()).number("select count(*) from orders") == 1'000);
  }

  TEST_CASE("too far behind the database new orders are refused and payments are not") {
    Server server({.catalog = catalog({{.stock = 10'000}}),
                   .shards = 1,
                   .flags = {{"--drain-lag-max", "200"}}});
    std::string payable = server.buy({.user = "payer"}),
                unwanted = server.buy({.user = "canceller"});
    REQUIRE(server.wait_drained());
    {
      Database blocker(server.database_path(), true);
      REQUIRE(blocker.execute("begin exclusive"));
      int round = 0;
      std::map<std::string, size_t> counts;
      CHECK(wait_until([&] {
        counts = tally(rush(server.address(), crowd(100, "r" + std::to_string(round++) + "-")));
        return counts["503 overloaded"] > 0;
      }));
      Response refused = server.order({.user = "one-more"});
      CHECK(refused.code() == "overloaded");
      CHECK(refused.json()["retryable"].truth());
      CHECK(!refused.header("Retry-After").empty());
      CHECK(refused.json()["retry_after_ms"].number() > 0);
      CHECK(server.pay(payable).json()["state"].text() == "paid");
      CHECK(server.cancel("canceller", unwanted).json()["state"].text() == "cancelled");
      REQUIRE(blocker.execute("rollback"));
    }
    CHECK(wait_until([&] { return server.order({.user = "after"}).status == 201; }));
    server.check_books();
  }

  TEST_CASE("a row that the database does not take stands in rejected and the line goes on") {
    Server server({.catalog = catalog({{.stock = 100}}), .shards = 1});
    {
      Database database(server.database_path(), true);
      REQUIRE(
          database.execute("create trigger refuse before insert on orders when new.user_id='bad' "
                           "begin select raise(abort,'no such customer'); end"));
    }
    for (std::string user : {"good1", "bad", "good2"}) server.buy({.user = user});
    REQUIRE(server.wait_drained());
    Database database(server.database_path());
    CHECK(database.number("select count(*) from orders where user_id like 'good%'") == 2);
    CHECK(database.number("select count(*) from orders where user_id='bad'") == 0);
    CHECK(database.number("select count(*) from rejected") == 1);
    auto rejected = database.rows("select * from rejected");
    bool names_reason = false;
    for (const auto& row : rejected)
      for (const std::string& cell : row)
        names_reason = names_reason || cell.find("no such customer") != cell.npos;
    CHECK(names_reason);
  }

  TEST_CASE("a database that was put back from an older copy catches up exactly once") {
    Server server({.catalog = catalog({{.stock = 1'000}}), .shards = 2});
    rush_until_decided(server.address(), crowd(50, "early"));
    REQUIRE(server.wait_drained());
    REQUIRE(server.terminate() == 0);
    std::string copy = server.scratch().path("older.db");
    std::filesystem::copy_file(server.database_path(), copy);
    for (std::string ending : {"-wal", "-shm"})
      REQUIRE(!std::filesystem::exists(server.database_path() + ending));
    server.start();
    auto late = rush_until_decided(server.address(), crowd(50, "late"));
    CHECK(server.cancel(late[0].ask.user, late[0].order_id).status == 200);
    REQUIRE(server.wait_drained());
    REQUIRE(server.terminate() == 0);
    std::filesystem::copy_file(copy, server.database_path(),
                               std::filesystem::copy_options::overwrite_existing);
    server.start();
    server.check_books();
    CHECK(Database(server.database_path()).number("select count(*) from orders") == 100);
  }

  TEST_CASE("a database that vanished is made again from the order log") {
    Server server({.catalog = catalog({{.stock = 1'000}}), .shards = 2});
    rush_until_decided(server.address(), crowd(50));
    server.kill9();
    for (std::string ending : {"", "-wal", "-shm"})
      std::filesystem::remove(server.database_path() + ending);
    server.start();
    server.check_books();
    CHECK(Database(server.database_path()).number("select count(*) from orders") == 50);
  }

  TEST_CASE("without a database orders are sold all the same") {
    Server server({.catalog = catalog({{.stock = 100}}), .shards = 2, .flags = {{"--db", "none"}}});
    CHECK(tally(rush_until_decided(server.address(), crowd(120)))["201"] == 100);
    server.restart();
    CHECK(server.books().reserved == 100);
    CHECK(!std::filesystem::exists(server.database_path()));
  }
}

}  // namespace
}  // namespace stampede::e2e
