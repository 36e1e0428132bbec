// The table of payments: what a correctly signed callback does to an order in each state, and that
// each payment is decided once and answered the same way ever after.
#include <doctest/doctest.h>

#include "harness/server.h"

namespace stampede::e2e {
namespace {

void check_order(const Response& response, const std::string& state, int64_t refund_due) {
  CAPTURE(response.body);
  CHECK(response.status == 200);
  CHECK(response.json()["state"].text() == state);
  CHECK(response.json()["refund_due"].number() == refund_due);
}

std::string expired_order(Server& server, const Ask& ask) {
  std::string id = server.buy(ask);
  REQUIRE(wait_until([&] { return server.state_of(ask.user, id) == "expired"; }));
  return id;
}

TEST_SUITE("e2e/payments") {
  TEST_CASE("a reserved order is paid") {
    for (int shards : {1, 5}) {
      Server server({.catalog = catalog({{}}), .shards = shards});
      std::string id = server.buy({.user = "u1", .quantity = 2});
      check_order(server.pay(id, {.amount = 110700}), "paid", 0);
      CHECK(server.state_of("u1", id) == "paid");
      CHECK(server.books().paid == 2);
      server.check_books();
      Database database(server.database_path());
      CHECK(database.text("select payment_id from orders") == "p1");
      CHECK(database.rows("select payment_id, order_id, amount, currency from payments") ==
            std::vector<std::vector<std::string>>{{"p1", id, "110700", "CNY"}});
    }
  }

  TEST_CASE("the same payment delivered again changes nothing") {
    Server server({.catalog = catalog({{}})});
    std::string id = server.buy({.user = "u1"});
    for (int i = 0; i < 3; ++i) check_order(server.pay(id), "paid", 0);
    server.restart();
    check_order(server.pay(id), "paid", 0);
    server.check_books();
    CHECK(Database(server.database_path()).number("select count(*) from payments") == 1);
  }

  TEST_CASE("a second payment of a paid order is due back once however often it is delivered") {
    Server server({.catalog = catalog({{}})});
    std::string id = server.buy({.user = "u1"});
    check_order(server.pay(id), "paid", 0);
    for (int i = 0; i < 3; ++i) check_order(server.pay(id, {.id = "p2"}), "paid", 55350);
    check_order(server.pay(id, {.id = "p3"}), "paid", 110700);
    server.kill9();
    server.start();
    check_order(server.pay(id, {.id = "p2"}), "paid", 110700);
    REQUIRE(server.wait_drained());
    Database database(server.database_path());
    CHECK(database.number("select refund_due from orders") == 110700);
    CHECK(database.text("select payment_id from orders") == "p1");
    CHECK(database.number("select count(*) from payments") == 3);
  }

  TEST_CASE("a late payment takes its units again when they are free") {
    Server server(
        {.catalog = catalog({{.stock = 3, .per_user_limit = 3, .pay_window_s = 1}}), .shards = 2});
    std::string id = expired_order(server, {.user = "u1", .quantity = 3});
    Response paid;
    CHECK(wait_until([&] { return (paid = server.pay(id, {.amount = 166050})).status != 503; }));
    check_order(paid, "paid", 0);
    CHECK(server.books().paid == 3);
    server.check_books();
    CHECK(Database(server.database_path()).text("select state from orders") == "paid");
  }

  TEST_CASE("a late payment is honoured whatever the purchase limit says") {
    Server server({.catalog = catalog({{.stock = 10, .per_user_limit = 1, .pay_window_s = 1}})});
    std::string id = expired_order(server, {.user = "u1"});
    std::string second = server.buy({.user = "u1"});
    REQUIRE(server.pay(second, {.id = "p2"}).status == 200);
    Response paid;
    CHECK(wait_until([&] { return (paid = server.pay(id)).status != 503; }));
    check_order(paid, "paid", 0);
    server.check_books();
  }

  TEST_CASE("a late payment without free units is due back and its redelivery takes none") {
    Server server({.catalog = catalog({{.stock = 1, .pay_window_s = 2}})});
    std::string late = expired_order(server, {.user = "u1"});
    Response next;
    REQUIRE(wait_until([&] { return (next = server.order({.user = "u2"})).status == 201; }));
    std::string holder = next.json()["order_id"].text();
    REQUIRE(server.pay(holder, {.id = "p2"}).status == 200);
    Response answer;
    CHECK(wait_until([&] { return (answer = server.pay(late)).status != 503; }));
    check_order(answer, "expired", 55350);
    CHECK(
        server.admin().post("/admin/items/ticket/restock", R"({"op_id":"r1","delta":5})").status ==
        200);
    check_order(server.pay(late), "expired", 55350);
    CHECK(server.books().paid == 1);
    server.check_books();
    CHECK(Database(server.database_path())
              .number("select refund_due from orders where order_id='" + late + "'") == 55350);
  }

  TEST_CASE("a late payment takes all its units or none") {
    Server server({.catalog = catalog({{.stock = 3, .pay_window_s = 1}}), .shards = 2});
    std::string late = expired_order(server, {.user = "u1", .quantity = 3});
    Response next;
    REQUIRE(wait_until([&] { return (next = server.order({.user = "u2"})).status == 201; }));
    REQUIRE(server.pay(next.json()["order_id"].text(), {.id = "p2"}).status == 200);
    Response answer;
    CHECK(
        wait_until([&] { return (answer = server.pay(late, {.amount = 166050})).status != 503; }));
    check_order(answer, "expired", 166050);
    Books books = server.books();
    CHECK(books.paid == 1);
    CHECK(books.free + books.leased == 2);
  }

  TEST_CASE("the money for a cancelled order is due back") {
    Server server({.catalog = catalog({{}})});
    std::string id = server.buy({.user = "u1"});
    REQUIRE(server.cancel("u1", id).status == 200);
    for (int i = 0; i < 2; ++i) check_order(server.pay(id), "cancelled", 55350);
    CHECK(server.books().paid == 0);
    server.check_books();
  }

  TEST_CASE("a wrong amount or currency does not change the order and stands in payments") {
    Server server({.catalog = catalog({{}})});
    std::string id = server.buy({.user = "u1"});
    for (Payment wrong :
         {Payment{.id = "w1", .amount = 55349}, Payment{.id = "w2", .amount = 55351},
          Payment{.id = "w3", .currency = "EUR"}, Payment{.id = "w4", .amount = 0}}) {
      CAPTURE(wrong.id);
      for (int i = 0; i < 2; ++i) {
        Response refused = server.pay(id, wrong);
        CHECK(refused.status == 409);
        CHECK(refused.code() == "not_payable");
      }
    }
    // The same payment_id was decided: the right amount under it comes too late.
    CHECK(server.pay(id, {.id = "w1"}).code() == "not_payable");
    CHECK(server.read("u1", id).json()["refund_due"].number() == 0);
    check_order(server.pay(id), "paid", 0);
    server.check_books();
    Database database(server.database_path());
    CHECK(database.number("select count(*) from payments where payment_id like 'w%'") == 4);
  }

  TEST_CASE("a failed payment changes nothing") {
    Server server({.catalog = catalog({{}})});
    std::string id = server.buy({.user = "u1"});
    check_order(server.pay(id, {.status = "failed"}), "reserved", 0);
    check_order(server.pay(id, {.id = "p2"}), "paid", 0);
    check_order(server.pay(id, {.id = "p3", .status = "failed"}), "paid", 0);
  }

  TEST_CASE("a payment that failed may succeed later under its id") {
    Server server({.catalog = catalog({{}})});
    std::string id = server.buy({.user = "u1"});
    check_order(server.pay(id, {.status = "failed"}), "reserved", 0);
    check_order(server.pay(id), "paid", 0);
  }

  TEST_CASE("a payment for an unknown order is not found") {
    Server server({.catalog = catalog({{}})});
    std::string id = server.buy({.user = "u1"});
    std::string forged = id;
    forged[9] = forged[9] == '0' ? '1' : '0';
    Response response = server.pay(forged);
    CHECK(response.status == 404);
    CHECK(response.code() == "unknown_order");
    CHECK(server.state_of("u1", id) == "reserved");
  }

  TEST_CASE("only a fresh and right signature counts") {
    Server server({.catalog = catalog({{}})});
    std::string id = server.buy({.user = "u1"}), body = payment_body({});
    std::string right = signature(body), target = "/v1/orders/" + id + "/payment";
    std::string flipped = right;
    flipped.back() = flipped.back() == '0' ? '1' : '0';
    std::string other_body = signature(payment_body({.amount = 1}));
    for (std::string wrong :
         {flipped, other_body, signature(body, -400), signature(body, 400), std::string("t=1,v1="),
          std::string("v1=00"), right.substr(0, right.size() - 1), right + "0", std::string("x")}) {
      CAPTURE(wrong);
      Response response = server.http().post(target, body, {{"Stampede-Signature", wrong}});
      CHECK(response.status == 401);
      CHECK(response.code() == "unauthenticated");
    }
    CHECK(server.http().post(target, body).status == 401);
    CHECK(server.http().post(target, body, {{"X-User-Id", "u1"}}).status == 401);
    CHECK(server.state_of("u1", id) == "reserved");
    CHECK(
        server.http().post(target, body, {{"Stampede-Signature", signature(body, -200)}}).status ==
        200);
  }

  TEST_CASE("a signed body that says nothing sensible is a bad request") {
    Server server({.catalog = catalog({{}})});
    std::string id = server.buy({.user = "u1"});
    for (std::string body :
         {std::string("{}"), std::string("[]"), std::string("x"), payment_body({.status = "maybe"}),
          payment_body({.amount = -1}), payment_body({.id = ""}),
          payment_body({.id = std::string(65, 'p')}),
          std::string(
              R"({"payment_id":"p1","amount":"55350","currency":"CNY","status":"succeeded"})"),
          std::string(
              R"({"payment_id":"p1","amount":55350.5,"currency":"CNY","status":"succeeded"})")}) {
      CAPTURE(body);
      Response response = server.http().post("/v1/orders/" + id + "/payment", body,
                                             {{"Stampede-Signature", signature(body)}});
      CHECK(response.status == 400);
      CHECK(response.code() == "bad_request");
    }
    CHECK(server.state_of("u1", id) == "reserved");
  }
}

}  // namespace
}  // namespace stampede::e2e
