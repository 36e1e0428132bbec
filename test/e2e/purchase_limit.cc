// Nobody holds more than the limit, whatever he tries at once; units that he gives back count no
// longer; and a winner who asks again learns that he won.
#include <doctest/doctest.h>

#include "harness/rush.h"
#include "harness/server.h"

namespace stampede::e2e {
namespace {

TEST_SUITE("e2e/purchase_limit") {
  TEST_CASE("a buyer at the limit is told the order that he holds") {
    Server server({.catalog = catalog({{.per_user_limit = 1}}), .shards = 2});
    std::string id = server.buy({.user = "u1"});
    Response refused = server.order({.user = "u1"});
    CHECK(refused.status == 409);
    CHECK(refused.code() == "limit_reached");
    CHECK(refused.json()["order_id"].text() == id);
    CHECK(!refused.json()["retryable"].truth());
    CHECK(server.books().reserved == 1);
  }

  TEST_CASE("the item of measurements is sold to one user again and again") {
    Server server({.catalog = "{}", .flags = {{"--demo", "bench"}}, .without = {"--catalog"}});
    const std::string first = server.buy({.user = "u1"});
    CHECK(server.buy({.user = "u1"}) != first);
    CHECK(server.books().total == int64_t{1} << 40);
  }

  TEST_CASE("a winner learns of his order even when all is sold") {
    Server server({.catalog = catalog({{.stock = 1, .per_user_limit = 1}})});
    std::string id = server.buy({.user = "u1"});
    CHECK(wait_until([&] { return server.order({.user = "u2"}).code() == "sold_out"; }));
    Response again = server.order({.user = "u1"});
    CHECK(again.code() == "limit_reached");
    CHECK(again.json()["order_id"].text() == id);
  }

  TEST_CASE("sixty-four requests of one user at once are one order and every answer names it") {
    for (int shards : {1, 2, 5}) {
      CAPTURE(shards);
      Server server(
          {.catalog = catalog({{.stock = 1'000, .per_user_limit = 1}}), .shards = shards});
      std::vector<Ask> asks(64, Ask{.user = "u1"});
      auto outcomes = rush(server.address(), asks, {.connections = 16, .pipeline = 4});
      std::string id = server.list("u1").json()["orders"].at(0)["order_id"].text();
      size_t created = 0;
      for (const Outcome& outcome : outcomes) {
        created += outcome.status == 201;
        CHECK((outcome.status == 201 || outcome.code == "limit_reached"));
        CHECK(outcome.order_id == id);
      }
      CHECK(created == 1);
      server.check_books();
    }
  }

  TEST_CASE("a thousand parallel requests get exactly the limit in units") {
    Server server({.catalog = catalog({{.stock = 10'000, .per_user_limit = 7}}), .shards = 5});
    std::vector<Ask> asks;
    for (int i = 0; i < 1'000; ++i)
      asks.push_back({.user = "u" + std::to_string(i % 4),
                      .quantity = 1 + i / 4 % 2,
                      .key = "k" + std::to_string(i)});
    rush_until_decided(server.address(), asks, {.connections = 16, .pipeline = 8});
    for (int user = 0; user < 4; ++user) {
      int64_t units = 0;
      Json list = server.list("u" + std::to_string(user)).json();
      for (const Json& order : list["orders"].elements()) units += order["qty"].number();
      CHECK(units == 7);
    }
    server.check_books();
  }

  TEST_CASE("a quantity above the limit is a bad request and one above the rest is the limit") {
    Server server({.catalog = catalog({{.stock = 100, .per_user_limit = 3}})});
    CHECK(server.order({.user = "u1", .quantity = 4}).code() == "bad_request");
    std::string id = server.buy({.user = "u1", .quantity = 2});
    Response refused = server.order({.user = "u1", .quantity = 2});
    CHECK(refused.code() == "limit_reached");
    CHECK(refused.json()["order_id"].text() == id);
    CHECK(server.order({.user = "u1", .quantity = 1}).status == 201);
    CHECK(server.books().reserved == 3);
  }

  TEST_CASE("cancelled and expired units free the limit") {
    Server server({.catalog = catalog({{.per_user_limit = 1, .pay_window_s = 1}})});
    std::string first = server.buy({.user = "u1"});
    REQUIRE(server.cancel("u1", first).status == 200);
    std::string second = server.buy({.user = "u1"});
    CHECK(wait_until([&] { return server.state_of("u1", second) == "expired"; }));
    server.buy({.user = "u1"});
  }

  TEST_CASE("paid units count") {
    Server server({.catalog = catalog({{.per_user_limit = 1}})});
    std::string id = server.buy({.user = "u1"});
    REQUIRE(server.pay(id).status == 200);
    Response refused = server.order({.user = "u1"});
    CHECK(refused.code() == "limit_reached");
    CHECK(refused.json()["order_id"].text() == id);
  }

  TEST_CASE("the limit is each item's own") {
    Server server({.catalog = catalog(
                       {{.code = "a", .per_user_limit = 1}, {.code = "b", .per_user_limit = 1}})});
    server.buy({.user = "u1", .item = "a"});
    server.buy({.user = "u1", .item = "b"});
    CHECK(server.order({.user = "u1", .item = "a"}).code() == "limit_reached");
  }

  TEST_CASE("the limit holds after a restart and after kill -9") {
    Server server({.catalog = catalog({{.per_user_limit = 2}}), .shards = 2});
    server.buy({.user = "u1"});
    std::string id = server.buy({.user = "u1"});
    server.restart();
    CHECK(server.order({.user = "u1"}).code() == "limit_reached");
    server.kill9();
    server.start();
    CHECK(server.order({.user = "u1"}).code() == "limit_reached");
    REQUIRE(server.cancel("u1", id).status == 200);
    server.buy({.user = "u1"});
  }

  TEST_CASE("no limit is no limit") {
    Server server({.catalog = catalog({{.stock = 300}})});
    std::vector<Ask> asks;
    for (int i = 0; i < 300; ++i) asks.push_back({.user = "u1", .key = "k" + std::to_string(i)});
    CHECK(tally(rush_until_decided(server.address(), asks, {.connections = 2}))["201"] == 300);
  }
}

}  // namespace
}  // namespace stampede::e2e
