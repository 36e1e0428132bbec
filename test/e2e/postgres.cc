// With --db postgres://… everything is as with the file beside the log, and PostgreSQL may come and
// go: orders are taken all the same, and each is in the database once in the end.
#include <doctest/doctest.h>
#include <signal.h>

#include <atomic>

#include "../servers/await.h"
#include "../servers/postgres_server.h"
#include "harness/random.h"
#include "harness/rush.h"
#include "harness/server.h"

namespace stampede::e2e {
namespace {

using servers::PostgresClient;
using servers::PostgresServer;
using Row = std::vector<std::string>;

struct Shop {
  explicit Shop(const ServerOptions& wishes, bool with_database = true)
      : server(with(wishes, with_database ? url : "none")) {}

  static ServerOptions with(ServerOptions options, const std::string& db) {
    options.flags.emplace_back("--db", db);
    return options;
  }
  PostgresClient database() const { return PostgresClient(postgres.socket_url(name)); }
  Finished run(const std::string& subcommand) const {
    return run_stampede({subcommand, "--data", server.data(), "--db", url});
  }

  // At rest: the books add up, and the rows say the same, each order once.
  void check_books(const std::string& item = "ticket") {
    CHECK(server.wait_drained());
    const Books book = server.books(item);
    CHECK(book.ok);
    PostgresClient rows = database();
    const std::string of_item =
        "SELECT coalesce(sum(qty),0) FROM orders WHERE item='" + item + "' AND state=";
    CHECK(rows.number(of_item + "'reserved'") == book.reserved);
    CHECK(rows.number(of_item + "'paid'") == book.paid);
    CHECK(rows.number("SELECT count(*) FROM rejected") == 0);
  }
  // And the same as the order log, order by order.
  void check_audit() {
    const Finished finished = run("audit");
    CAPTURE(finished.out);
    CAPTURE(finished.err);
    CHECK(finished.exit_code == 0);
  }
  void check_acknowledged(const std::vector<Outcome>& outcomes) {
    PostgresClient rows = database();
    for (const Outcome& outcome : outcomes)
      if (outcome.status == 201)
        CHECK_MESSAGE(rows.number("SELECT count(*) FROM orders WHERE order_id='" +
                                  outcome.order_id + "'") == 1,
                      "lost: " << outcome.order_id);
  }

  PostgresServer& postgres = PostgresServer::shared();
  std::string name = postgres.create_database();
  // Nobody asks for this password, but it must not be seen.
  std::string url =
      "postgres://tester:hush@127.0.0.1:" + std::to_string(postgres.port()) + "/" + name;
  Server server;
};

TEST_SUITE("e2e/postgres") {
  TEST_CASE("a row says what the API says in every state") {
    Shop shop({.catalog = catalog({{}, {.code = "brief", .pay_window_s = 1}}), .shards = 2});
    Server& server = shop.server;
    const std::string reserved = server.buy({.user = "u1", .quantity = 2}),
                      paid = server.buy({.user = "u2"}), cancelled = server.buy({.user = "u3"}),
                      expired = server.buy({.user = "u4", .item = "brief"});
    REQUIRE(server.pay(paid, {.id = "pay-7"}).status == 200);
    REQUIRE(server.cancel("u3", cancelled).status == 200);
    REQUIRE(server.pay(cancelled, {.id = "pay-8"}).status == 200);
    REQUIRE(wait_until([&] { return server.state_of("u4", expired) == "expired"; }));
    shop.check_books();
    PostgresClient database = shop.database();
    const auto row = [&](const std::string& id) {
      return database.rows(
          "SELECT item,user_id,qty,amount,currency,state,payment_id,refund_due "
          "FROM orders WHERE order_id='" +
          id + "'");
    };
    using Rows = std::vector<Row>;
    CHECK(row(reserved) == Rows{{"ticket", "u1", "2", "110700", "CNY", "reserved", "NULL", "0"}});
    CHECK(row(paid) == Rows{{"ticket", "u2", "1", "55350", "CNY", "paid", "pay-7", "0"}});
    CHECK(row(cancelled) ==
          Rows{{"ticket", "u3", "1", "55350", "CNY", "cancelled", "NULL", "55350"}});
    CHECK(row(expired) == Rows{{"brief", "u4", "1", "55350", "CNY", "expired", "NULL", "0"}});
    CHECK(database.rows("SELECT payment_id,order_id,outcome FROM payments ORDER BY payment_id") ==
          Rows{{"pay-7", paid, "paid"}, {"pay-8", cancelled, "refund_due"}});
    const Json view = server.read("u1", reserved).json();
    const std::string created = view["created_at"].text();
    CHECK(database.number("SELECT count(*) FROM orders WHERE order_id='" + reserved +
                          "' AND created_at=timestamptz '" + created +
                          "' AND pay_before=timestamptz '" + view["pay_before"].text() + "'") == 1);
    REQUIRE(server.terminate() == 0);
    shop.check_audit();
  }

  TEST_CASE("the password of the database is shown nowhere") {
    Shop shop({.catalog = catalog({{.stock = 10}})});
    CHECK(shop.server.says("postgres://tester:***@127.0.0.1"));
    shop.postgres.kill();
    shop.server.buy({.user = "u1"});
    // Long enough out of reach that the operator is told why.
    CHECK(wait_until([&] {
      return shop.server.complaint().find("no rows go into the database") != std::string::npos;
    }));
    CHECK(shop.server.admin().get("/admin/status").body.find("hush") == std::string::npos);
    const Finished audit = shop.run("audit");
    CHECK(audit.exit_code == 1);
    CHECK((audit.out + audit.err + shop.server.said()).find("hush") == std::string::npos);
    shop.postgres.restart();
    shop.check_books();
  }

  TEST_CASE("a URL that cannot be read is refused without its password") {
    for (const Arguments& command : {Arguments{"serve", "--demo"}, {"drain"}, {"audit"}}) {
      Arguments arguments = command;
      arguments.insert(arguments.end(), {"--data", "x", "--db", "postgres://u:hu/sh@h/db"});
      const Finished finished = run_stampede(arguments);
      CHECK(finished.exit_code == 2);
      CHECK(finished.err.find("--db") != std::string::npos);
      CHECK(finished.err.find("hu/") == std::string::npos);
    }
  }

  TEST_CASE("while PostgreSQL is dead orders are taken and afterwards all rows come once") {
    INFO("seed " << seed());
    Shop shop({.catalog = catalog({{.stock = 20'000}}), .shards = 2});
    const size_t kill_after = random_between(500, 4'000);
    std::atomic<bool> is_killed{false};
    const auto outcomes = rush_until_decided(
        shop.server.address(), crowd(6'000), {.on_progress = [&](size_t answered) {
          if (answered >= kill_after && !is_killed.exchange(true)) shop.postgres.kill();
        }});
    CHECK(is_killed);
    CHECK(tally(outcomes)["201"] == 6'000);
    CHECK(shop.server.pay(outcomes[0].order_id).json()["state"].text() == "paid");
    CHECK(shop.server.cancel(outcomes[1].ask.user, outcomes[1].order_id).status == 200);
    CHECK(shop.server.status()["drainer"]["lag_records"].number() > 0);
    shop.postgres.restart();
    shop.check_books();
    CHECK(shop.database().number("SELECT count(*) FROM orders") == 6'000);
    REQUIRE(shop.server.terminate() == 0);
    shop.check_audit();
  }

  TEST_CASE("while PostgreSQL is stopped orders are taken and afterwards all rows come once") {
    Shop shop({.catalog = catalog({{.stock = 20'000}}), .shards = 2});
    shop.server.buy({.user = "first"});
    REQUIRE(shop.server.wait_drained());
    shop.postgres.pause();
    CHECK(tally(rush_until_decided(shop.server.address(), crowd(2'000)))["201"] == 2'000);
    CHECK(shop.server.status()["drainer"]["lag_records"].number() > 0);
    shop.postgres.resume();
    shop.check_books();
    CHECK(shop.database().number("SELECT count(*) FROM orders") == 2'001);
  }

  // Signals that come together are one wish, so it goes on being asked.
  TEST_CASE("a second signal ends a server whose stop waits for its database") {
    Shop shop({.catalog = catalog({{.stock = 10}})});
    shop.server.buy({.user = "first"});
    REQUIRE(shop.server.wait_drained());
    shop.postgres.pause();
    const std::string id = shop.server.buy({.user = "second"});
    std::optional<int> code;
    REQUIRE(servers::await([&] {
      shop.server.process().signal(SIGTERM);
      code = shop.server.process().wait(std::chrono::milliseconds(50));
      return code.has_value();
    }));
    CHECK(*code == 1);
    shop.postgres.resume();
    shop.server.start();
    CHECK(shop.server.state_of("second", id) == "reserved");
    shop.check_books();
  }

  TEST_CASE("a server and PostgreSQL killed under load again and again lose nothing") {
    INFO("seed " << seed());
    Shop shop({.catalog = catalog({{.stock = 100'000}}), .shards = 2});
    std::vector<Outcome> all;
    for (int round = 0; round < rounds(3); ++round) {
      CAPTURE(round);
      const size_t kill_server_after = random_between(200, 3'000),
                   kill_postgres_after = random_between(0, 3'000);
      std::atomic<bool> is_server_killed{false}, is_postgres_killed{false};
      const auto outcomes =
          rush(shop.server.address(), crowd(4'000, "r" + std::to_string(round) + "-"),
               {.on_progress = [&](size_t answered) {
                 if (answered >= kill_postgres_after && !is_postgres_killed.exchange(true))
                   shop.postgres.kill();
                 if (answered >= kill_server_after && !is_server_killed.exchange(true))
                   shop.server.process().signal(SIGKILL);
               }});
      append(all, outcomes);
      REQUIRE(shop.server.process().wait(kPatience).has_value());
      // Either may be back first.
      if (random_between(0, 1) == 0) shop.postgres.restart();
      shop.server.start();
      if (!shop.postgres.is_running()) shop.postgres.restart();
    }
    shop.check_books();
    shop.check_acknowledged(all);
    REQUIRE(shop.server.terminate() == 0);
    shop.check_audit();
  }

  TEST_CASE("drain replays a log into PostgreSQL as often as one likes") {
    Shop shop({.catalog = catalog({{.stock = 1'000}}), .shards = 2}, false);
    const auto outcomes = rush_until_decided(shop.server.address(), crowd(300));
    REQUIRE(shop.server.pay(outcomes[0].order_id).status == 200);
    REQUIRE(shop.server.cancel(outcomes[1].ask.user, outcomes[1].order_id).status == 200);
    shop.server.kill9();
    for (int time = 0; time < 2; ++time) {
      const Finished finished = shop.run("drain");
      CAPTURE(finished.err);
      CHECK(finished.exit_code == 0);
      PostgresClient database = shop.database();
      CHECK(database.number("SELECT count(*) FROM orders") == 300);
      CHECK(database.number("SELECT count(*) FROM orders WHERE state='paid'") == 1);
      CHECK(database.number("SELECT count(*) FROM payments") == 1);
    }
    shop.check_audit();
  }

  TEST_CASE("nothing of a node that was retired is drained") {
    Shop shop({.catalog = catalog({{.stock = 1'000}})}, false);
    rush_until_decided(shop.server.address(), crowd(20));
    REQUIRE(shop.server.terminate() == 0);
    REQUIRE(shop.run("drain").exit_code == 0);
    shop.server.start();
    shop.server.buy({.user = "zombie"});
    REQUIRE(shop.server.terminate() == 0);
    REQUIRE(
        shop.database().execute("INSERT INTO members(node,uuid,state) VALUES(0,'x','retired')"));
    const Finished finished = shop.run("drain");
    CHECK(finished.exit_code == 78);
    CHECK(finished.err.find("node 0 was retired") != std::string::npos);
    CHECK(shop.database().number("SELECT count(*) FROM orders") == 20);
  }

  TEST_CASE("audit names what differs") {
    Shop shop({.catalog = catalog({{.stock = 100}}), .shards = 2});
    const auto outcomes = rush_until_decided(shop.server.address(), crowd(20));
    const std::string id = outcomes[7].order_id, where = " WHERE order_id='" + id + "'";
    REQUIRE(shop.server.wait_drained());
    REQUIRE(shop.server.terminate() == 0);
    shop.check_audit();
    for (const std::string& damage :
         {"UPDATE orders SET created_at=created_at+interval '1 ms'" + where,
          "UPDATE orders SET state='cancelled'" + where, "DELETE FROM orders" + where}) {
      CAPTURE(damage);
      REQUIRE(shop.database().execute(damage));
      const Finished finished = shop.run("audit");
      CHECK(finished.exit_code == 1);
      CHECK(finished.out.find(id) != std::string::npos);
    }
  }

  TEST_CASE("load verifies a sale and finds an order that is not there") {
    for (const bool is_honest : {true, false}) {
      CAPTURE(is_honest);
      Shop shop({.catalog = catalog({{.stock = 500, .per_user_limit = 1}}), .shards = 2});
      if (!is_honest)
        REQUIRE(shop.database().execute(
            "CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN DELETE FROM orders WHERE order_id=new.order_id; RETURN NULL; END $$; "
            "CREATE TRIGGER lose AFTER INSERT ON orders FOR EACH ROW "
            "WHEN (new.user_id LIKE '%5') EXECUTE FUNCTION lose()"));
      const Finished finished =
          run_stampede({"load", "--url", shop.server.url(), "--item", "ticket", "--users", "1500",
                        "--rate", "0", "--connections", "16", "--auth", "header", "--admin",
                        shop.server.admin_url(), "--db", shop.url, "--verify"});
      CAPTURE(finished.out);
      CAPTURE(finished.err);
      CHECK(finished.exit_code == (is_honest ? 0 : 1));
      CHECK((finished.out + finished.err).find("hush") == std::string::npos);
    }
  }
}

}  // namespace
}  // namespace stampede::e2e
