// What the sale page reads: items with a validator, stock that follows within a second, the
// server's time.
#include <doctest/doctest.h>

#include "harness/server.h"

namespace stampede::e2e {
namespace {

TEST_SUITE("e2e/items_and_stock") {
  TEST_CASE("items are read with their terms and without a user") {
    Server server({.catalog = catalog(
                       {{.per_user_limit = 2, .pay_window_s = 600}, {.code = "b", .price = 7}}),
                   .shards = 2});
    Response all = server.http().get("/v1/items"), one = server.http().get("/v1/items/b");
    CHECK(all.status == 200);
    CHECK(all.json()["items"].size() == 2);
    CHECK(one.status == 200);
    Json item = one.json();
    CHECK(item["code"].text() == "b");
    CHECK(item["price"].number() == 7);
    CHECK(item["currency"].text() == "CNY");
    CHECK(server.http().get("/v1/items/ticket").json()["per_user_limit"].number() == 2);
  }

  TEST_CASE("an item that has not changed is 304") {
    Server server({.catalog = catalog({{.ends_in_s = 3600}})});
    for (std::string path : {"/v1/items", "/v1/items/ticket"}) {
      Response first = server.http().get(path);
      std::string etag = first.header("ETag");
      REQUIRE(!etag.empty());
      CHECK(first.header("Cache-Control").find("max-age=") != std::string::npos);
      Response again = server.http().get(path, {{"If-None-Match", etag}});
      CHECK(again.status == 304);
      CHECK(again.body.empty());
      CHECK(again.header("ETag") == etag);
      CHECK(server.http().get(path, {{"If-None-Match", "\"other\""}}).status == 200);
      CHECK(server.http().get(path, {{"If-None-Match", "\"other\", " + etag}}).status == 304);
      CHECK(server.http().get(path, {{"If-None-Match", "*"}}).status == 304);
    }
  }

  TEST_CASE("a changed item has another ETag") {
    Server server({.catalog = catalog({{}})});
    std::string before = server.http().get("/v1/items/ticket").header("ETag");
    REQUIRE(server.admin().put("/admin/items/ticket", item_json({.price = 1})).status == 200);
    CHECK(
        wait_until([&] { return server.http().get("/v1/items/ticket").header("ETag") != before; }));
    Response now = server.http().get("/v1/items/ticket", {{"If-None-Match", before}});
    CHECK(now.status == 200);
    CHECK(now.json()["price"].number() == 1);
  }

  TEST_CASE("stock follows what is sold and given back") {
    for (int shards : {1, 5}) {
      Server server({.catalog = catalog({{.stock = 8}}), .shards = shards});
      auto available = [&] { return server.stock()["available"].number(); };
      Json stock = server.stock();
      CHECK(stock["state"].text() == "open");
      CHECK(stock.has("server_time"));
      CHECK(wait_until([&] { return available() == 8; }));
      std::string id = server.buy({.user = "u1", .quantity = 3});
      CHECK(wait_until([&] { return available() == 5; }));
      REQUIRE(server.cancel("u1", id).status == 200);
      CHECK(wait_until([&] { return available() == 8; }));
      server.buy({.user = "u1", .quantity = 8});
      CHECK(wait_until([&] { return available() == 0; }));
    }
  }

  TEST_CASE("the server's time is told and not cached") {
    Server server({.catalog = catalog({{}})});
    Response response = server.http().get("/v1/time");
    CHECK(response.status == 200);
    CHECK(response.json().has("server_time"));
  }
}

}  // namespace
}  // namespace stampede::e2e
