// What one user and all together may ask for: exact whatever connection, key, item or shard is used, behind a restart and
// with another number of shards; and never in the way of somebody who has an order.
#include <doctest/doctest.h>

#include <chrono>

#include "harness/rush.h"
#include "harness/server.h"

namespace stampede::e2e {
namespace {

bool is_limited(const Response& response, const std::string& limit) {
  return response.status == 429 && response.code() == "rate_limited" &&
         response.json()["limit"].text() == limit && response.json()["retry_after_ms"].number() > 0;
}

// Orders of one user over connections, keys and items.
std::vector<Ask> asks_of(const std::string& user, int count) {
  std::vector<Ask> asks;
  for (int i = 0; i < count; ++i)
    asks.push_back({.user = user, .item = i % 2 == 0 ? "a" : "b", .key = "k" + std::to_string(i)});
  return asks;
}

double seconds_since(std::chrono::steady_clock::time_point began) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
}

TEST_SUITE("e2e/order_limits") {
  TEST_CASE("a user has its requests of a window over all connections and keys and items") {
    for (int shards : {1, 2}) {
      CAPTURE(shards);
      Server server(
          {.catalog = catalog({{.code = "a", .stock = 1'000}, {.code = "b", .stock = 1'000}}),
           .shards = shards,
           .flags = {{"--rate-user", "20/24h"}}});
      auto counts = tally(rush(server.address(), asks_of("u1", 200), {.connections = 8}));
      // Those that were told to try again have had their turn too.
      CHECK(counts["201"] + counts["503 try_again"] == 20);
      CHECK(counts["429 rate_limited"] == 180);
      CHECK(is_limited(server.order({.user = "u1", .item = "a"}), "user"));
      CHECK(server.metric("stampede_rate_limited_total{limit=\"user\"}") >= 181);
      server.buy({.user = "u2", .item = "a"});
    }
  }

  TEST_CASE("who has an order is not refused by a limit") {
    Server server(
        {.catalog = catalog({{.stock = 100, .per_user_limit = 1}}),
         .shards = 2,
         .flags = {{"--rate-user", "1/24h"}, {"--open-per-user", "1"}, {"--order-rate", "1"}}});
    const Ask ask{.user = "u1", .key = "k1"};
    std::string id = server.buy(ask);
    for (int i = 0; i < 20; ++i) {
      Response again = server.order(ask);
      CHECK(again.status == 200);
      CHECK(again.json()["order_id"].text() == id);
      CHECK(server.order({.user = "u1", .key = "other"}).code() == "limit_reached");
      CHECK(server.read("u1", id).status == 200);
    }
    CHECK(server.pay(id).status == 200);
    CHECK(server.order(ask).status == 200);
    CHECK(server.cancel("u1", id).code() == "already_paid");
  }

  TEST_CASE("unpaid reservations are counted over items and behind kill -9 and other shards") {
    Server server(
        {.catalog = catalog({{.code = "a", .stock = 1'000}, {.code = "b", .stock = 1'000}}),
         .shards = 2,
         .flags = {{"--open-per-user", "3"}}});
    auto outcomes = rush_until_decided(server.address(), asks_of("u1", 3));
    REQUIRE(tally(outcomes)["201"] == 3);
    const auto is_full = [&] {
      return is_limited(server.order({.user = "u1", .item = "a"}), "open") &&
             is_limited(server.order({.user = "u1", .item = "b"}), "open");
    };
    CHECK(is_full());
    server.kill9();
    server.start();
    CHECK(is_full());
    for (int shards : {3, 1}) {
      CAPTURE(shards);
      REQUIRE(server.terminate() == 0);
      server.options().shards = shards;
      server.start();
      CHECK(is_full());
    }
    REQUIRE(server.cancel("u1", outcomes[0].order_id).status == 200);
    server.buy({.user = "u1", .item = "b"});
    CHECK(is_full());
    REQUIRE(server.pay(outcomes[1].order_id).status == 200);
    server.buy({.user = "u1", .item = "b"});
    CHECK(is_full());
  }

  TEST_CASE("parallel requests reserve no more than the limit") {
    Server server(
        {.catalog = catalog({{.code = "a", .stock = 1'000}, {.code = "b", .stock = 1'000}}),
         .shards = 2,
         .flags = {{"--open-per-user", "3"}}});
    auto counts = tally(rush(server.address(), asks_of("u1", 400), {.connections = 16}));
    CHECK(counts["201"] <= 3);
    CHECK(counts["201"] + counts["429 rate_limited"] + counts["503 try_again"] == 400);
    CHECK(server.books("a").reserved + server.books("b").reserved ==
          static_cast<int64_t>(counts["201"]));
  }

  TEST_CASE("whoever lets reservations expire must pause also behind a restart") {
    Server server({.catalog = catalog(
                       {{.stock = 100, .pay_window_s = 1}, {.code = "long", .pay_window_s = 3600}}),
                   .flags = {{"--open-per-user", "3"}}});
    for (int i = 0; i < 3; ++i) server.buy({.user = "u1"});
    REQUIRE(wait_until([&] { return server.books().reserved == 0; }));
    // A pause is as long as the window of what is asked for.
    CHECK(is_limited(server.order({.user = "u1", .item = "long"}), "open"));
    server.restart();
    CHECK(is_limited(server.order({.user = "u1", .item = "long"}), "open"));
    server.buy({.user = "u2", .item = "long"});
    CHECK(wait_until([&] { return server.order({.user = "u1"}).status == 201; }));
  }

  TEST_CASE("two shards sell no faster than the rate and what is gone is sold out") {
    Server server(
        {.catalog = catalog({{.stock = 4}}), .shards = 2, .flags = {{"--order-rate", "1"}}});
    const auto began = std::chrono::steady_clock::now();
    double created = 0;
    int turned_away = 0;
    REQUIRE(wait_until([&] {
      auto counts = tally(rush(server.address(), crowd(64), {.connections = 8}));
      created = static_cast<double>(server.books().reserved);
      CHECK(created <= seconds_since(began) + 2);
      turned_away += static_cast<int>(counts["429 rate_limited"]);
      return counts["409 sold_out"] > 0;
    }));
    CHECK(created == 4);
    CHECK(turned_away > 0);
    // Nobody who comes now is told to come back.
    CHECK(wait_until([&] {
      return tally(rush(server.address(), crowd(64, "late"), {.connections = 8}))["409 sold_out"] ==
             64;
    }));
    CHECK(server.metric("stampede_item_refusals_total{item=\"ticket\",code=\"sold_out\"") > 0);
    Json status = server.status();
    CHECK(status["items"].at(0)["refused"]["rate_limited_sale"].number() >= turned_away);
    server.check_books();
  }

  TEST_CASE("an item's own rate holds for that item alone") {
    Server server({.catalog = R"({"items":[{"code":"slow","stock":100,"order_rate":1},
                                           {"code":"fast","stock":1000}]})",
                   .shards = 2});
    const auto began = std::chrono::steady_clock::now();
    rush(server.address(), crowd(200, "u", {.item = "slow"}));
    CHECK(static_cast<double>(server.books("slow").reserved) <= seconds_since(began) + 2);
    CHECK(wait_until(
        [&] { return is_limited(server.order({.user = "x", .item = "slow"}), "item"); }));
    CHECK(tally(rush_until_decided(server.address(), crowd(200, "f", {.item = "fast"})))["201"] ==
          200);
  }

  TEST_CASE("an automatic rate follows the database") {
    Server server({.catalog = catalog({{.stock = 100'000}}), .flags = {{"--order-rate", "auto"}}});
    CHECK(server.metric("stampede_order_rate_measured") == 5'000);
    CHECK(wait_until([&] {
      rush(server.address(), crowd(2'000, std::to_string(server.books().reserved) + "-"));
      return server.metric("stampede_order_rate_measured") != 5'000;
    }));
    server.check_books();
    Server without({.catalog = catalog({{.stock = 10}}),
                    .flags = {{"--order-rate", "auto"}, {"--db", "none"}}});
    CHECK(without.metric("stampede_order_rate_measured") == 0);
    without.buy({.user = "u1"});
  }
}

}  // namespace
}  // namespace stampede::e2e
