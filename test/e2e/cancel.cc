// A cancelled order gives its units back once, and only its owner can cancel it before it is paid.
#include <doctest/doctest.h>

#include "harness/server.h"

namespace stampede::e2e {
namespace {

TEST_SUITE("e2e/cancel") {
  TEST_CASE("cancelling twice is the same answer and one return") {
    for (int shards : {1, 2, 5}) {
      CAPTURE(shards);
      Server server({.catalog = catalog({{.stock = 2}}), .shards = shards});
      std::string id = server.buy({.user = "u1", .quantity = 2});
      Response first = server.cancel("u1", id), second = server.cancel("u1", id);
      CHECK(first.status == 200);
      CHECK(first.json()["state"].text() == "cancelled");
      CHECK(second.status == 200);
      CHECK(second.body == first.body);
      Books books = server.books();
      CHECK(books.free + books.leased == 2);
      server.check_books();
      CHECK(Database(server.database_path()).text("select state from orders") == "cancelled");
    }
  }

  TEST_CASE("a paid order cannot be cancelled") {
    Server server({.catalog = catalog({{}})});
    std::string id = server.buy({.user = "u1"});
    REQUIRE(server.pay(id).status == 200);
    Response refused = server.cancel("u1", id);
    CHECK(refused.status == 409);
    CHECK(refused.code() == "already_paid");
    CHECK(server.state_of("u1", id) == "paid");
    CHECK(server.books().paid == 1);
  }

  TEST_CASE("an expired order stays expired") {
    Server server({.catalog = catalog({{.pay_window_s = 1}})});
    std::string id = server.buy({.user = "u1"});
    REQUIRE(wait_until([&] { return server.state_of("u1", id) == "expired"; }));
    Response response = server.cancel("u1", id);
    CAPTURE(response.body);
    CHECK(response.status < 500);
    CHECK(server.state_of("u1", id) == "expired");
    Books books = server.books();
    CHECK(books.free + books.leased == 10);
  }

  TEST_CASE("an order can be cancelled after its sale has ended") {
    Server server({.catalog = catalog({{}})});
    std::string id = server.buy({.user = "u1"});
    REQUIRE(server.admin().post("/admin/items/ticket/end").status == 200);
    CHECK(server.cancel("u1", id).json()["state"].text() == "cancelled");
    server.check_books();
  }

  TEST_CASE("units that came back are sold again everywhere soon") {
    for (int shards : {1, 2, 5}) {
      CAPTURE(shards);
      Server server({.catalog = catalog({{.stock = 3}}), .shards = shards});
      std::string id = server.buy({.user = "u1", .quantity = 3});
      for (int i = 0; i < 8; ++i)
        CHECK(wait_until([&] {
          return server.order({.user = "other" + std::to_string(i)}).code() == "sold_out";
        }));
      REQUIRE(server.cancel("u1", id).status == 200);
      CHECK(wait_until([&] { return server.order({.user = "big", .quantity = 3}).status == 201; }));
      server.check_books();
    }
  }
}

}  // namespace
}  // namespace stampede::e2e
