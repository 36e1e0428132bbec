// A stopped server goes on where it stopped: orders, states, keys, stock and operators' changes are
// all there.
#include <doctest/doctest.h>

#include "harness/rush.h"
#include "harness/server.h"

namespace stampede::e2e {
namespace {

TEST_SUITE("e2e/restart_goes_on") {
  TEST_CASE("orders keep their states over a clean restart") {
    for (int shards : {1, 2, 5}) {
      CAPTURE(shards);
      Server server({.catalog = catalog({{.stock = 4}}), .shards = shards});
      std::string kept = server.buy({.user = "u1"}), paid = server.buy({.user = "u2"});
      std::string cancelled = server.buy({.user = "u3"});
      REQUIRE(server.pay(paid).status == 200);
      REQUIRE(server.cancel("u3", cancelled).status == 200);
      std::string before = server.read("u1", kept).body;
      server.restart();
      CHECK(server.read("u1", kept).body == before);
      CHECK(server.state_of("u2", paid) == "paid");
      CHECK(server.state_of("u3", cancelled) == "cancelled");
      Books books = server.books();
      CHECK(books.reserved == 1);
      CHECK(books.paid == 1);
      CHECK(books.free + books.leased == 2);
      server.check_books();
    }
  }

  TEST_CASE("a sale over many restarts sells exactly its stock") {
    Server server({.catalog = catalog({{.stock = 500}}), .shards = 2});
    size_t sold = 0;
    for (int round = 0; round < 4; ++round) {
      auto outcomes =
          rush_until_decided(server.address(), crowd(150, "r" + std::to_string(round) + "-"));
      sold += tally(outcomes)["201"];
      server.restart();
    }
    CHECK(sold == 500);
    CHECK(server.books().reserved == 500);
    server.check_books();
  }

  TEST_CASE("a reservation that ran out while the server was down expires after the start") {
    Server server({.catalog = catalog({{.stock = 1, .pay_window_s = 1}})});
    std::string id = server.buy({.user = "u1"});
    server.restart();
    CHECK(wait_until([&] { return server.state_of("u1", id) == "expired"; }));
    CHECK(wait_until([&] { return server.order({.user = "u2"}).status == 201; }));
    server.check_books();
  }

  TEST_CASE("the live stock of a known item is left alone and the server says so") {
    Server server({.catalog = catalog({{.stock = 10}})});
    server.buy({.user = "u1", .quantity = 4});
    server.options().catalog = catalog({{.stock = 5'000}});
    server.restart();
    CHECK(server.books().total == 10);
    CHECK(server.books().reserved == 4);
    CHECK(server.says("stock"));
  }

  TEST_CASE(
      "a restart takes new terms and new items from the catalog and orders keep their price") {
    Server server({.catalog = catalog({{.stock = 10, .price = 100}})});
    std::string old_order = server.buy({.user = "u1"});
    server.options().catalog = catalog({{.stock = 10, .price = 250}, {.code = "new", .stock = 3}});
    server.restart();
    CHECK(server.read("u1", old_order).json()["amount"].number() == 100);
    CHECK(server.order({.user = "u2"}).json()["amount"].number() == 250);
    CHECK(server.books("new").total == 3);
    CHECK(server.pay(old_order, {.amount = 100}).json()["state"].text() == "paid");
  }

  TEST_CASE("order ids of one life never come again in the next") {
    Server server({.catalog = catalog({{.stock = 10'000}}), .shards = 2});
    std::map<std::string, int> seen;
    for (int life = 0; life < 4; ++life) {
      for (const Outcome& outcome :
           rush_until_decided(server.address(), crowd(200, std::to_string(life) + "-")))
        ++seen[outcome.order_id];
      if (life % 2 == 0) {
        server.kill9();
        server.start();
      } else {
        server.restart();
      }
    }
    CHECK(seen.size() == 800);
  }

  TEST_CASE("many segments of order log are replayed and recycled") {
    Server server({.catalog = catalog({{.stock = 1'000'000}}),
                   .shards = 1,
                   .flags = {{"--durability", "os"}}});
    auto outcomes =
        rush_until_decided(server.address(), crowd(60'000), {.connections = 4, .pipeline = 64});
    CHECK(tally(outcomes)["201"] == 60'000);
    server.kill9();
    server.start();
    CHECK(server.books().reserved == 60'000);
    for (size_t i = 0; i < outcomes.size(); i += 997)
      CHECK(server.read(outcomes[i].ask.user, outcomes[i].order_id).status == 200);
    server.check_books();
  }
}

}  // namespace
}  // namespace stampede::e2e
