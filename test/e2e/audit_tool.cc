// `stampede audit` holds order log, ledger and database against each other: silence when they
// agree, exit 1 and the order's name when they do not.

#include <doctest/doctest.h>
#include <functional>

#include "harness/rush.h"
#include "harness/server.h"

namespace stampede::e2e {
namespace {

Finished audit(const Server& server) {
  return run_stampede(
      {"audit", "--data", server.data(), "--db", "sqlite:" + server.database_path()});
}

TEST_SUITE("e2e/audit_tool") {
  TEST_CASE("after any history the three agree") {
    for (int shards : {1, 2}) {
      Server server(
          {.catalog = catalog({{.stock = 200}, {.code = "brief", .stock = 50, .pay_window_s = 1}}),
           .shards = shards});
      auto outcomes = rush_until_decided(server.address(), crowd(300));
      rush_until_decided(server.address(), crowd(50, "b", {.item = "brief"}));
      std::vector<Outcome> winners;
      for (const Outcome& outcome : outcomes)
        if (outcome.status == 201) winners.push_back(outcome);
      REQUIRE(winners.size() == 200);
      for (int i = 0; i < 20; ++i)
        CHECK(server.pay(winners[i].order_id, {.id = "p" + std::to_string(i)}).status == 200);
      for (int i = 20; i < 40; ++i)
        CHECK(server.cancel(winners[i].ask.user, winners[i].order_id).status == 200);
      REQUIRE(wait_until([&] { return server.books("brief").reserved == 0; }));
      CHECK(server.pay(winners[30].order_id, {.id = "late"}).status == 200);
      REQUIRE(server.wait_drained());
      REQUIRE(server.terminate() == 0);
      Finished finished = audit(server);
      CAPTURE(finished.err);
      CAPTURE(finished.out);
      CHECK(finished.exit_code == 0);
    }
  }

  // Another program holds the database: what the new number of shards begins with is not in there as such.
  TEST_CASE("a database that is still being built again behind a change of shards lacks nothing") {
    Server server({.catalog = catalog({{.stock = 100}}), .shards = 1});
    for (int i = 0; i < 3; ++i) server.buy({.user = "u" + std::to_string(i)});
    server.options().shards = 2;
    server.restart();
    REQUIRE(server.terminate() == 0);
    const std::string other = server.scratch().path("other.db");
    Server({.catalog = catalog({{.stock = 1}}),
            .flags = {{"--node", "1"}, {"--db", "sqlite:" + other}}})
        .terminate();  // makes the tables
    server.options().flags.emplace_back("--db", "sqlite:" + other);
    Database writer(other, true);
    REQUIRE(writer.execute("BEGIN IMMEDIATE"));
    server.start();
    const auto audit_other = [&] {
      return run_stampede({"audit", "--data", server.data(), "--db", "sqlite:" + other});
    };
    const Finished early = audit_other();
    CAPTURE(early.out);
    CAPTURE(early.err);
    CHECK(early.exit_code == 0);
    CHECK(early.out.find("3 not drained yet") != std::string::npos);
    REQUIRE(writer.execute("ROLLBACK"));
    CHECK(wait_until([&] {
      const Finished late = audit_other();
      return late.exit_code == 0 && late.out.find(" 0 not drained yet") != std::string::npos;
    }));
    REQUIRE(server.terminate() == 0);
  }

  TEST_CASE("every kind of difference is found and named") {
    struct Damage {
      std::string what;
      std::string statement;
    };
    Server server({.catalog = catalog({{.stock = 100}}), .shards = 2});
    auto outcomes = rush_until_decided(server.address(), crowd(20));
    std::string id = outcomes[7].order_id, where = " where order_id='" + id + "'";
    REQUIRE(server.pay(id).status == 200);
    REQUIRE(server.wait_drained());
    REQUIRE(server.terminate() == 0);
    REQUIRE(audit(server).exit_code == 0);
    std::string copy = read_file(server.database_path());
    for (const Damage& damage : std::vector<Damage>{
             {"a missing order", "delete from orders" + where},
             {"another state", "update orders set state='cancelled'" + where},
             {"another quantity", "update orders set qty=2" + where},
             {"another amount", "update orders set amount=1" + where},
             {"another user", "update orders set user_id='mallory'" + where},
             {"another refund", "update orders set refund_due=5" + where},
             {"an order that nobody acknowledged",
              "insert into orders select '003fffffffffc000',item,user_id,qty,amount,"
              "currency,state,created_at,pay_before,updated_at,payment_id,refund_due "
              "from orders" +
                  where},
             {"a missing payment", "delete from payments" + where},
             {"a payment of another amount", "update payments set amount=1" + where},
             {"a payment in another currency", "update payments set currency='XXX'" + where},
             {"a payment of another outcome", "update payments set outcome='refund_due'" + where},
             {"a payment of another time",
              "update payments set received_at='2020-01-01T00:00:00.000Z'" + where},
             {"another payment of an order", "update orders set payment_id='other'" + where},
             {"an order without its payment", "update orders set payment_id=null" + where},
             {"a payment of an order that never was",
              "insert into payments select payment_id,'003fffffffffc000',amount,currency,outcome,"
              "received_at from payments" +
                  where},
             {"a payment of a node that never was",
              "insert into payments select payment_id,'1' || substr(order_id,2),amount,currency,"
              "outcome,received_at from payments" +
                  where},
             {"an order twice",
              "insert into orders select order_id || ' ',item,user_id,qty,amount,"
              "currency,state,created_at,pay_before,updated_at,payment_id,refund_due "
              "from orders" +
                  where},
             {"a payment twice",
              "insert into payments select payment_id,order_id || ' ',amount,currency,outcome,"
              "received_at from payments" +
                  where},
         }) {
      CAPTURE(damage.what);
      {
        Database database(server.database_path(), true);
        if (!database.execute(damage.statement)) {
          // More columns may stand beside the promised ones, and they may be required.
          MESSAGE("cannot plant " << damage.what);
          continue;
        }
      }
      Finished finished = audit(server);
      CHECK(finished.exit_code == 1);
      std::string named = id;
      if (damage.statement.find("003f") != std::string::npos) named = "003fffffffffc000";
      if (damage.statement.find("'1' ||") != std::string::npos) named = "has ever written there";
      CHECK((finished.out + finished.err).find(named) != std::string::npos);
      for (std::string ending : {"-wal", "-shm"})
        std::remove((server.database_path() + ending).c_str());
      write_file(server.database_path(), copy);
    }
    CHECK(audit(server).exit_code == 0);
  }
}

}  // namespace
}  // namespace stampede::e2e
