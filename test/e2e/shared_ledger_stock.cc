// One stock over several nodes: what comes back to one is sold by another, operators change it through any of them, and
// whatever the catalogs say, the first word counts.
#include <doctest/doctest.h>

#include "harness/cluster.h"
#include "harness/random.h"

namespace stampede::e2e {
namespace {

using servers::PostgresServer;

Response restock(Server& server, const std::string& op_id, int64_t delta) {
  return server.admin().post(
      "/admin/items/ticket/restock",
      "{\"op_id\":" + json_string(op_id) + ",\"delta\":" + std::to_string(delta) + "}");
}

bool hears_sold_out(Server& server, const std::string& user) {
  return server.order({.user = user}).code() == "sold_out";
}

// Asks again until somebody here gets a unit.
bool gets_one(Server& server, const std::string& user) {
  return wait_until([&] { return server.order({.user = user}).status == 201; });
}

TEST_SUITE("e2e/shared_ledger_stock") {
  TEST_CASE("units that are cancelled on one node are sold on another and sold_out clears") {
    Cluster cluster({.catalog = catalog({{.stock = 40}})});
    const auto outcomes = cluster.rush(crowd(40));
    REQUIRE(wait_until([&] { return hears_sold_out(cluster.node(0), "late"); }));
    REQUIRE(wait_until([&] { return hears_sold_out(cluster.node(1), "late"); }));
    int cancelled = 0;
    for (const Outcome& outcome : outcomes) {
      if (cluster.home_of(outcome.ask.user, cluster.all()) != 1 || cancelled == 3) continue;
      REQUIRE(cluster.node(1).cancel(outcome.ask.user, outcome.order_id).status == 200);
      ++cancelled;
    }
    REQUIRE(cancelled == 3);
    for (int i = 0; i < 3; ++i) CHECK(gets_one(cluster.node(0), "heir" + std::to_string(i)));
    CHECK(wait_until([&] { return hears_sold_out(cluster.node(0), "too-late"); }));
    CHECK(wait_until([&] { return hears_sold_out(cluster.node(1), "too-late"); }));
    for (const size_t index : cluster.all()) CHECK(cluster.node(index).wait_drained());
    CHECK(cluster.sold_units() == 40);
  }

  TEST_CASE("units that nobody pays for on one node are sold on another") {
    Cluster cluster({.catalog = catalog({{.stock = 10, .pay_window_s = 1}})});
    const auto outcomes = cluster.rush(crowd(10, "idle"), {1});
    CHECK(tally(outcomes)["201"] == 10);
    for (int i = 0; i < 10; ++i) {
      const std::string user = "heir" + std::to_string(i);
      Response response;
      CHECK(wait_until([&] {
        response = cluster.node(0).order({.user = user});
        return response.status == 201;
      }));
      CHECK(cluster.node(0).pay(response.json()["order_id"].text()).status == 200);
    }
    CHECK(cluster.node(0).books().paid == 10);
    CHECK(wait_until([&] { return hears_sold_out(cluster.node(1), "late"); }));
  }

  TEST_CASE("orders and cancels on three nodes at once never sell a unit twice") {
    INFO("seed " << seed());
    Cluster cluster({.nodes = 3, .catalog = catalog({{.stock = 60}})});
    std::vector<std::thread> threads;
    for (size_t i = 0; i < 3; ++i)
      threads.emplace_back([&, i, address = cluster.node(i).address()] {
        Http http(address);
        for (int n = 0; n < 150; ++n) {
          const Headers user{{"X-User-Id", std::to_string(i) + "-" + std::to_string(n)}};
          const Response bought = http.post("/v1/orders", order_body({}), user);
          if (bought.status != 201 || n % 2 == 0) continue;
          http.post("/v1/orders/" + bought.json()["order_id"].text() + "/cancel", "", user);
        }
      });
    for (int look = 0; look < 10; ++look)
      for (size_t i = 0; i < 3; ++i) {
        const Books books = cluster.node(i).books();
        CHECK(books.ok);
        CHECK(books.total == 60);
      }
    for (std::thread& thread : threads) thread.join();
    for (int n = 0; n < 3; ++n)
      cluster.rush(crowd(60, "rest" + std::to_string(n)), {static_cast<size_t>(n)});
    for (size_t i = 0; i < 3; ++i) CHECK(cluster.node(i).wait_drained());
    CHECK(cluster.sold_units() == 60);
    for (size_t i = 0; i < 3; ++i) CHECK(cluster.node(i).books().free == 0);
  }

  TEST_CASE("a restock counts once whichever node hears of it") {
    Cluster cluster({.catalog = catalog({{.stock = 5}})});
    auto outcomes = cluster.rush(crowd(20));
    const Response first = restock(cluster.node(0), "r1", 7);
    CAPTURE(first.body);
    CHECK(first.status == 200);
    for (size_t i : {1, 0, 1}) CHECK(restock(cluster.node(i), "r1", 7).status == 200);
    CHECK(restock(cluster.node(1), "r1", 8).status != 200);
    CHECK(gets_one(cluster.node(1), "heir"));
    outcomes = cluster.rush(crowd(20, "after"));
    CHECK(tally(outcomes)["201"] == 6);
    CHECK(cluster.node(0).books().total == 12);
    CHECK(cluster.node(1).books().total == 12);
  }

  TEST_CASE("restocks on all nodes during a rush and a loss of Redis are all sold") {
    INFO("seed " << seed());
    Cluster cluster({.catalog = catalog({{.stock = 300}})});
    BackgroundRush rush(cluster, crowd(300));
    for (int n = 0; n < 6; ++n) {
      rush.await_answers(rush.answers() + random_between(1, 60));
      if (n == 3) cluster.redis().command({"FLUSHALL"});
      Server& node = cluster.node(n % 2);
      CHECK(wait_until([&] { return restock(node, "op" + std::to_string(n), 10).status == 200; }));
    }
    auto outcomes = rush.finish();
    append(outcomes, cluster.rush(crowd(80, "after")));
    cluster.check_sold_out(outcomes, 360);
  }

  TEST_CASE("only what is free can be withdrawn and it stays withdrawn in the next epoch") {
    Cluster cluster({.catalog = catalog({{.stock = 20}})});
    auto outcomes = cluster.rush(crowd(5));
    REQUIRE(wait_until([&] { return cluster.node(0).books().free == 15; }));
    CHECK(restock(cluster.node(1), "w1", -16).status == 409);
    CHECK(restock(cluster.node(1), "w2", -12).status == 200);
    CHECK(restock(cluster.node(0), "w2", -12).status == 200);
    CHECK(cluster.node(0).books().total == 8);
    cluster.redis().command({"FLUSHALL"});
    append(outcomes, cluster.rush(crowd(20, "after")));
    cluster.check_sold_out(outcomes, 8);
  }

  TEST_CASE("preheating twice and then selling changes no stock") {
    Cluster cluster({.nodes = 1, .catalog = catalog({{.stock = 30}})});
    const std::string path = cluster.node(0).scratch().path("preheat.json");
    write_file(path, catalog({{.stock = 50}, {.code = "more", .stock = 9}}));
    for (int time = 0; time < 2; ++time) {
      const Finished preheated = cluster.ledger("preheat", {"--catalog", path});
      CAPTURE(preheated.err);
      CHECK(preheated.exit_code == 0);
      CHECK(preheated.out.find("ticket: stays at 30") != std::string::npos);
    }
    const Finished status = cluster.ledger("status");
    CHECK(status.out.find("more: total 9 = free 9") != std::string::npos);
    cluster.check_sold_out(cluster.rush(crowd(60)), 30);
  }

  TEST_CASE("nodes whose catalogs disagree sell what the first one said and are told") {
    Cluster cluster({.catalog = catalog({{.stock = 30}})});
    REQUIRE(cluster.node(1).terminate() == 0);
    cluster.node(1).options().catalog =
        catalog({{.stock = 99, .price = 1}, {.code = "own", .stock = 3}});
    cluster.node(1).start();
    auto outcomes = cluster.rush(crowd(60));
    cluster.check_sold_out(outcomes, 30);
    CHECK(cluster.node(1).books("own").total == 3);
    REQUIRE(cluster.node(0).terminate() == 0);
    cluster.node(0).options().catalog = catalog({{.stock = 30}, {.code = "own", .stock = 500}});
    cluster.node(0).start();
    CHECK(cluster.node(0).says("item own: stock is 3"));
    CHECK(wait_until(
        [&] { return cluster.node(0).order({.user = "u", .item = "own"}).status == 201; }));
  }
}

}  // namespace
}  // namespace stampede::e2e
