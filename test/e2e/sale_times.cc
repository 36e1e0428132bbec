// Nobody buys before the start, after the end or during a pause, whatever his own clock says;
// orders outlive the sale.
#include <doctest/doctest.h>

#include "harness/server.h"

namespace stampede::e2e {
namespace {

TEST_SUITE("e2e/sale_times") {
  TEST_CASE("before its start an item is not sold and the answer says when") {
    Server server({.catalog = catalog({{.starts_in_s = 3600}}), .shards = 2});
    Response refused =
        server.http().post("/v1/orders", order_body({}),
                           {{"X-User-Id", "u1"}, {"Date", "Fri, 01 Jan 2100 00:00:00 GMT"}});
    CHECK(refused.status == 403);
    CHECK(refused.code() == "not_started");
    CHECK(refused.json()["starts_at"].text().size() >= 20);
    CHECK(server.books().reserved == 0);
    CHECK(server.stock()["state"].text() != "open");
  }

  TEST_CASE("an item opens at its start") {
    Server server({.catalog = catalog({{.starts_in_s = 2}}), .shards = 2});
    Response response;
    CHECK(wait_until(
        [&] { return (response = server.order({.user = "u1"})).code() != "not_started"; }));
    CHECK((response.status == 201 || response.status == 503));
    CHECK(wait_until([&] { return server.stock()["state"].text() == "open"; }));
  }

  TEST_CASE(
      "after its end an item is not sold and earlier orders can still be paid and cancelled") {
    Server server({.catalog = catalog({{.stock = 1'000'000, .ends_in_s = 2}}), .shards = 2});
    std::string first = server.buy({.user = "u1"}), second = server.buy({.user = "u2"});
    Response refused;
    CHECK(wait_until([&] {
      refused = server.order({.user = "u3"});
      return refused.status != 201 && refused.status != 503;
    }));
    CHECK(refused.status == 410);
    CHECK(refused.code() == "sale_ended");
    CHECK(!refused.json()["retryable"].truth());
    CHECK(server.pay(first).json()["state"].text() == "paid");
    CHECK(server.cancel("u2", second).json()["state"].text() == "cancelled");
    server.check_books();
  }

  TEST_CASE("an item that ended before the server started is not sold") {
    Server server({.catalog = catalog({{.starts_in_s = -7200, .ends_in_s = -3600}})});
    CHECK(server.order({.user = "u1"}).code() == "sale_ended");
  }

  TEST_CASE("a paused item says so until it is resumed") {
    for (int shards : {1, 5}) {
      Server server({.catalog = catalog({{}, {.code = "other"}}), .shards = shards});
      REQUIRE(server.admin().post("/admin/items/ticket/pause").status == 200);
      for (int i = 0; i < 10; ++i) {
        std::string user = "u" + std::to_string(i);
        Response refused;
        CHECK(wait_until([&] { return (refused = server.order({.user = user})).status == 503; }));
        CHECK(refused.code() == "sale_paused");
        CHECK(refused.json()["retryable"].truth());
      }
      server.buy({.user = "u1", .item = "other"});
      REQUIRE(server.admin().post("/admin/items/ticket/resume").status == 200);
      CHECK(wait_until([&] { return server.order({.user = "u1"}).status == 201; }));
    }
  }

  TEST_CASE("a pause and an end outlast a restart") {
    Server server({.catalog = catalog({{.code = "paused"}, {.code = "ended"}})});
    REQUIRE(server.admin().post("/admin/items/paused/pause").status == 200);
    REQUIRE(server.admin().post("/admin/items/ended/end").status == 200);
    server.restart();
    CHECK(server.order({.user = "u1", .item = "paused"}).code() == "sale_paused");
    CHECK(server.order({.user = "u1", .item = "ended"}).code() == "sale_ended");
  }

  TEST_CASE("what was ended for good is not sold again by an operator a reload or a start") {
    Server server({.catalog = catalog({{.ends_in_s = 3600}})});
    REQUIRE(server.admin().post("/admin/items/ticket/end").status == 200);
    const Response put = server.admin().put("/admin/items/ticket", R"({"price":1})");
    CHECK(put.status == 410);
    CHECK(put.code() == "sale_ended");
    CHECK(put.body.find("under a new code") != std::string::npos);
    server.options().catalog = catalog({{.price = 1}, {.code = "other"}});
    write_file(server.scratch().path("catalog.json"), server.options().catalog);
    const Response read = server.admin().post("/admin/reload", "{}");
    CHECK(read.status == 200);
    CHECK(read.body.find(R"("needs_restart":[],"refused":["item ticket"])") != std::string::npos);
    CHECK(server.order({.user = "u1"}).code() == "sale_ended");
    server.buy({.user = "u1", .item = "other"});
    CHECK(server.terminate() == 0);
    // All others are sold behind the next start, too.
    server.start();
    CHECK(server.says("item ticket: left as it was: its sale was ended for good"));
    CHECK(server.order({.user = "u1"}).code() == "sale_ended");
    server.buy({.user = "u2", .item = "other"});
  }
}

}  // namespace
}  // namespace stampede::e2e
