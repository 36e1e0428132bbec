// SIGHUP and POST /admin/reload take the catalog up as a start would: new items are sold and new terms hold, on every shard and
// after a restart; what operators have changed since stays.
#include <doctest/doctest.h>

#include "harness/server.h"

namespace stampede::e2e {
namespace {

Response reload(Server& server, const std::string& catalog) {
  server.options().catalog = catalog;  // for the next start too
  write_file(server.scratch().path("catalog.json"), catalog);
  return server.admin().post("/admin/reload", "{}");
}

int64_t price_of(Server& server, const std::string& item) {
  return server.http().get("/v1/items/" + item).json()["price"].number();
}

TEST_SUITE("e2e/reload_of_the_catalog") {
  TEST_CASE("new items are sold and new terms hold, also after a restart") {
    Server server({.catalog = catalog({{}}), .shards = 2});
    server.buy({.user = "u1"});
    const Response read = reload(
        server, catalog({{.stock = 99, .price = 100}, {.code = "book", .stock = 20, .price = 7}}));
    CAPTURE(read.body);
    CHECK(read.status == 200);
    CHECK(read.body.find("catalog from ") != std::string::npos);
    for (int user = 0; user < 16; ++user)  // of both shards
      server.buy({.user = "b" + std::to_string(user), .item = "book"});
    CHECK(price_of(server, "ticket") == 100);
    CHECK(server.books().total == 10);  // the stock of a known item is changed by a restock
    CHECK(server.books("book").total == 20);
    const Finished log = run_stampede({"log", "inspect", "--records", "--data", server.data()});
    CHECK(log.out.find("catalog, new terms") != std::string::npos);
    server.restart();
    CHECK(price_of(server, "ticket") == 100);
    CHECK(server.books("book").reserved == 16);
    server.check_books("book");
  }

  TEST_CASE("what operators have changed stays while the catalog says of it what it said") {
    Server server({.catalog = catalog({{}, {.code = "book"}}), .shards = 2});
    REQUIRE(server.admin().put("/admin/items/ticket", R"({"price":77})").status == 200);
    REQUIRE(server.admin().post("/admin/items/book/pause", "{}").status == 200);
    CHECK(reload(server, catalog({{}, {.code = "book", .price = 5}})).status == 200);
    CHECK(price_of(server, "ticket") == 77);
    CHECK(price_of(server, "book") == 5);
    CHECK(server.order({.user = "u1", .item = "book"}).code() == "sale_paused");
  }

  TEST_CASE("a wrong catalog changes nothing") {
    Server server({.catalog = catalog({{}}), .shards = 2});
    for (const std::string& wrong :
         {std::string("{"), std::string(R"({"items":[{"code":"ticket","stock":10,"price":-1}]})"),
          std::string(
              R"({"items":[{"code":"ticket","stock":10,"price":3},{"code":"a b","stock":1}]})"),
          std::string(R"({"items":[{"code":"b","stock":1},{"code":"b","stock":1}]})")}) {
      CAPTURE(wrong);
      const Response refused = reload(server, wrong);
      CHECK(refused.status == 409);
      CHECK(refused.code() == "not_reloaded");
      CHECK(refused.body.find("--catalog") != std::string::npos);
      CHECK(price_of(server, "ticket") == 55350);
    }
    CHECK(server.metric("stampede_reloads_total{result=\"failed\"}") == 4);
  }

  TEST_CASE("a thousand items are taken up in bounded turns") {
    Server server({.catalog = catalog({{}}), .shards = 2});
    std::vector<ItemSpec> items{{}};
    for (int i = 0; i < 1000; ++i) items.push_back({.code = "i" + std::to_string(i)});
    CHECK(reload(server, catalog(items)).status == 200);
    server.buy({.user = "u1", .item = "i0"});
    server.buy({.user = "u2", .item = "i999"});
    CHECK(reload(server, catalog(items)).status == 200);  // nothing is new
    CHECK(server.metric("stampede_items") == 1001);
  }
}

}  // namespace
}  // namespace stampede::e2e
