// The same key and the same body is the same order, however often, from wherever and whenever it is
// sent; a key belongs to its user.

#include <doctest/doctest.h>
#include <set>
#include <thread>

#include "harness/rush.h"
#include "harness/server.h"

namespace stampede::e2e {
namespace {

TEST_SUITE("e2e/idempotency_key") {
  TEST_CASE("a repeated request gives the same order again and says so") {
    Server server({.catalog = catalog({{.per_user_limit = 1}}), .shards = 2});
    Ask ask{.user = "u1", .key = "k1"};
    std::string id = server.buy(ask);
    for (int i = 0; i < 3; ++i) {
      Response again = server.order(ask);
      CHECK(again.status == 200);
      CHECK(again.json()["order_id"].text() == id);
      CHECK(again.json()["replayed"].truth());
    }
    CHECK(server.books().reserved == 1);
  }

  TEST_CASE("the same key with another body is refused and changes nothing") {
    Server server({.catalog = catalog({{}, {.code = "other"}})});
    server.buy({.user = "u1", .key = "k1"});
    for (Ask ask : {Ask{.user = "u1", .quantity = 2, .key = "k1"},
                    Ask{.user = "u1", .item = "other", .key = "k1"}}) {
      Response refused = server.order(ask);
      CHECK(refused.status == 422);
      CHECK(refused.code() == "key_reused");
    }
    CHECK(server.books().reserved == 1);
    CHECK(server.books("other").reserved == 0);
  }

  TEST_CASE("the same body in other words is the same body") {
    Server server({.catalog = catalog({{}})});
    Headers headers{{"X-User-Id", "u1"}, {"Idempotency-Key", "k1"}};
    Response first = server.order_with(headers, R"({"item":"ticket","qty":1})");
    Response second = server.order_with(headers, R"({ "qty" : 1, "item" : "ticket" })");
    CHECK(first.status == 201);
    CHECK(second.status == 200);
    CHECK(second.json()["order_id"].text() == first.json()["order_id"].text());
  }

  TEST_CASE("another user's key is another key") {
    Server server({.catalog = catalog({{}}), .shards = 2});
    std::string alice = server.buy({.user = "alice", .key = "same"});
    std::string bob = server.buy({.user = "bob", .key = "same"});
    CHECK(alice != bob);
    CHECK(server.order({.user = "bob", .quantity = 3, .key = "same"}).code() == "key_reused");
  }

  TEST_CASE("a key replays after a restart and after kill -9") {
    Server server({.catalog = catalog({{}}), .shards = 2});
    Ask ask{.user = "u1", .key = "k1"};
    std::string id = server.buy(ask);
    server.restart();
    CHECK(server.order(ask).json()["order_id"].text() == id);
    server.kill9();
    server.start();
    Response again = server.order(ask);
    CHECK(again.status == 200);
    CHECK(again.json()["order_id"].text() == id);
    CHECK(again.json()["replayed"].truth());
    CHECK(server.order({.user = "u1", .quantity = 2, .key = "k1"}).code() == "key_reused");
  }

  TEST_CASE("a key replays after the sale's end and while the item is paused") {
    Server server({.catalog = catalog({{.code = "brief"}, {.code = "long"}})});
    Ask brief{.user = "u1", .item = "brief", .key = "k1"},
        lasting{.user = "u1", .item = "long", .key = "k2"};
    std::string brief_id = server.buy(brief), lasting_id = server.buy(lasting);
    REQUIRE(server.admin().post("/admin/items/brief/end").status == 200);
    REQUIRE(server.admin().post("/admin/items/long/pause").status == 200);
    CHECK(wait_until(
        [&] { return server.order({.user = "u2", .item = "brief"}).code() == "sale_ended"; }));
    CHECK(wait_until(
        [&] { return server.order({.user = "u2", .item = "long"}).code() == "sale_paused"; }));
    CHECK(server.order(brief).json()["order_id"].text() == brief_id);
    CHECK(server.order(lasting).json()["order_id"].text() == lasting_id);
  }

  TEST_CASE("a key replays the order in the state that it has now") {
    Server server({.catalog = catalog({{.per_user_limit = 1}})});
    Ask ask{.user = "u1", .key = "k1"};
    std::string id = server.buy(ask);
    REQUIRE(server.cancel("u1", id).status == 200);
    Response again = server.order(ask);
    CHECK(again.status == 200);
    CHECK(again.json()["state"].text() == "cancelled");
    CHECK(server.books().reserved == 0);
  }

  TEST_CASE("a refused request does not use up its key") {
    Server server({.catalog = catalog({{.stock = 1}})});
    std::string id = server.buy({.user = "u1"});
    Ask ask{.user = "u2", .key = "k1"};
    CHECK(wait_until([&] { return server.order(ask).code() == "sold_out"; }));
    REQUIRE(server.cancel("u1", id).status == 200);
    CHECK(wait_until([&] { return server.order(ask).status == 201; }));
  }

  TEST_CASE("one key on many connections at once is one order") {
    for (int shards : {1, 2, 5}) {
      CAPTURE(shards);
      Server server({.catalog = catalog({{.stock = 1'000}}), .shards = shards});
      std::vector<Ask> asks(64, Ask{.user = "u1", .key = "k1"});
      auto outcomes =
          rush_until_decided(server.address(), asks, {.connections = 16, .pipeline = 4});
      std::set<std::string> ids;
      size_t created = 0;
      for (const Outcome& outcome : outcomes) {
        created += outcome.status == 201;
        CHECK((outcome.status == 201 || outcome.status == 200));
        ids.insert(outcome.order_id);
      }
      CHECK(created == 1);
      CHECK(ids.size() == 1);
      CHECK(server.books().reserved == 1);
    }
  }

  TEST_CASE("a key that is no key is a bad request") {
    Server server({.catalog = catalog({{}})});
    for (std::string key :
         {std::string(256, 'k'), std::string("with space"), std::string("caf\xc3\xa9")}) {
      CAPTURE(key);
      Response response = server.order({.user = "u1", .key = key});
      CHECK(response.status == 400);
    }
    CHECK(server.order({.user = "u1", .key = std::string(64, '~')}).status == 201);
    CHECK(server.books().reserved == 1);
  }
}

}  // namespace
}  // namespace stampede::e2e
