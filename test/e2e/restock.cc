// Stock that is added or withdrawn: once per op_id, never below what is sold, sold like any other
// unit.

#include <doctest/doctest.h>
#include <thread>

#include "harness/rush.h"
#include "harness/server.h"

namespace stampede::e2e {
namespace {

Response restock(Http& admin, const std::string& op_id, const std::string& delta,
                 const std::string& item = "ticket") {
  return admin.post("/admin/items/" + item + "/restock",
                    "{\"op_id\":" + json_string(op_id) + ",\"delta\":" + delta + "}");
}

TEST_SUITE("e2e/restock") {
  TEST_CASE("added units are sold after sell-out") {
    for (int shards : {1, 2, 5}) {
      CAPTURE(shards);
      Server server({.catalog = catalog({{.stock = 5}}), .shards = shards});
      CHECK(tally(rush_until_decided(server.address(), crowd(100)))["201"] == 5);
      CHECK(restock(server.admin(), "r1", "7").status == 200);
      CHECK(server.books().total == 12);
      size_t sold = 0;
      int round = 0;
      CHECK(wait_until([&] {
        sold +=
            tally(rush(server.address(), crowd(50, "n" + std::to_string(round++) + "-")))["201"];
        return sold >= 7;
      }));
      CHECK(tally(rush_until_decided(server.address(), crowd(50, "last")))["201"] == 0);
      CHECK(sold == 7);
      server.check_books();
    }
  }

  TEST_CASE("an op_id is applied once however often and from wherever it comes") {
    Server server({.catalog = catalog({{.stock = 5}}), .shards = 2});
    std::vector<std::thread> operators;
    for (int i = 0; i < 8; ++i)
      operators.emplace_back([&] {
        Http admin(server.admin_address());
        CHECK(restock(admin, "r1", "10").status == 200);
      });
    for (std::thread& each : operators) each.join();
    CHECK(server.books().total == 15);
    server.restart();
    CHECK(restock(server.admin(), "r1", "10").status == 200);
    server.kill9();
    server.start();
    CHECK(restock(server.admin(), "r1", "10").status == 200);
    CHECK(server.books().total == 15);
    CHECK(restock(server.admin(), "r2", "1").status == 200);
    CHECK(server.books().total == 16);
    server.check_books();
  }

  TEST_CASE("an op_id of another change is a conflict, also after restarts and from a snapshot") {
    Server server({.catalog = catalog({{.stock = 5}}), .shards = 2});
    CHECK(restock(server.admin(), "r1", "10").status == 200);
    const auto is_conflict = [&](const std::string& delta) {
      const Response answer = restock(server.admin(), "r1", delta);
      return answer.status == 422 && answer.code() == "key_reused" &&
             answer.body.find("restock 10 of ticket") != std::string::npos;
    };
    CHECK(is_conflict("11"));
    CHECK(is_conflict("-10"));
    server.kill9();
    server.start();
    CHECK(is_conflict("11"));
    // Another number of shards begins with snapshots.
    REQUIRE(server.terminate() == 0);
    server.options().shards = 3;
    server.start();
    CHECK(is_conflict("11"));
    CHECK(restock(server.admin(), "r1", "10").status == 200);
    CHECK(server.books().total == 15);
  }

  TEST_CASE("different operations at once all count") {
    Server server({.catalog = catalog({{.stock = 0}}), .shards = 2});
    std::vector<std::thread> operators;
    for (int i = 0; i < 8; ++i)
      operators.emplace_back([&, i] {
        Http admin(server.admin_address());
        for (int j = 0; j < 10; ++j)
          CHECK(restock(admin, "r" + std::to_string(i) + "-" + std::to_string(j), "1").status ==
                200);
      });
    for (std::thread& each : operators) each.join();
    CHECK(server.books().total == 80);
    CHECK(server.books().ok);
  }

  TEST_CASE("units can be withdrawn but never below what is sold") {
    for (int shards : {1, 5}) {
      CAPTURE(shards);
      Server server({.catalog = catalog({{.stock = 10}}), .shards = shards});
      for (int i = 0; i < 6; ++i) server.buy({.user = "u" + std::to_string(i)});
      // Units that idle in pools go back to the ledger within a moment; then all that is unsold can
      // go.
      CHECK(wait_until([&] { return server.books().leased == 0; }));
      CHECK(restock(server.admin(), "w1", "-3").status == 200);
      CHECK(server.books().total == 7);
      Response refused = restock(server.admin(), "w2", "-5");
      CHECK((refused.status == 409 || refused.status == 200));
      Books books = server.books();
      CHECK(books.ok);
      CHECK(books.total >= 6);
      CHECK(books.reserved == 6);
      server.check_books();
    }
  }

  TEST_CASE("a restock that is no restock is refused and changes nothing") {
    Server server({.catalog = catalog({{}})});
    for (std::string body :
         {std::string("{}"), std::string("x"), std::string(R"({"op_id":"r1"})"),
          std::string(R"({"delta":1})"), std::string(R"({"op_id":"","delta":1})"),
          std::string(R"({"op_id":"r1","delta":"1"})"),
          std::string(R"({"op_id":"r1","delta":1.5})"),
          std::string(R"({"op_id":"r1","delta":9223372036854775808})"),
          std::string(R"({"op_id":"r1","delta":18446744073709551615})"),
          std::string(R"({"op_id":"r1","delta":9223372036854775807})"),
          std::string(R"({"op_id":"r1","delta":-9223372036854775808})"),
          "{\"op_id\":\"" + std::string(65, 'r') + "\",\"delta\":1}"}) {
      CAPTURE(body);
      Response response = server.admin().post("/admin/items/ticket/restock", body);
      CHECK((response.status == 400 || response.status == 409));
      CHECK(server.books().total == 10);
    }
    CHECK(server.books().ok);
    CHECK(restock(server.admin(), "r1", "1").status == 200);
    CHECK(server.books().total == 11);
  }

  TEST_CASE("stock never grows above its bound") {
    Server server({.catalog = catalog({{.stock = 1099511627776}})});
    Response response = restock(server.admin(), "r1", "1");
    CHECK((response.status == 400 || response.status == 409));
    CHECK(server.books().total == 1099511627776);
  }
}

}  // namespace
}  // namespace stampede::e2e
