// Whatever a request may contain, the answer is the contract's refusal and no stock moves.
#include <doctest/doctest.h>

#include "harness/server.h"

namespace stampede::e2e {
namespace {

const Headers kUser{{"X-User-Id", "u1"}};

void check_refused(Server& server, const std::string& body, int status, const std::string& code) {
  CAPTURE(body.substr(0, 120));
  Response response = server.http().post("/v1/orders", body, kUser);
  CHECK(response.status == status);
  CHECK(response.code() == code);
}

std::string with_qty(const std::string& qty) {
  return "{\"item\":\"ticket\",\"qty\":" + qty + "}";
}

TEST_SUITE("e2e/bad_orders_are_refused") {
  TEST_CASE("a quantity is an integer from one to the limit") {
    Server server({.catalog = catalog({{.stock = 1'000'000}})});
    for (std::string qty : {"0",
                            "-1",
                            "2147483648",
                            "4294967297",
                            "9223372036854775808",
                            "18446744073709551617",
                            "1.5",
                            "1.0",
                            "1e0",
                            "\"1\"",
                            "null",
                            "true",
                            "[1]",
                            "{}",
                            "NaN",
                            "Infinity",
                            "01",
                            "+1",
                            "0x1",
                            "1001"})
      check_refused(server, with_qty(qty), 400, "bad_request");
    check_refused(server, R"({"item":"ticket"})", 400, "bad_request");
    CHECK(server.books().reserved == 0);
    CHECK(server.order({.user = "u1", .quantity = 1000}).status == 201);
  }

  TEST_CASE("a body is one strict JSON object") {
    Server server({.catalog = catalog({{}})});
    std::string nested = "{\"item\":\"ticket\",\"qty\":1,\"x\":" + std::string(1'900, '[') +
                         std::string(1'900, ']') + "}";
    for (std::string body : {std::string(" "),
                             std::string("null"),
                             std::string("[]"),
                             std::string("1"),
                             std::string("\"x\""),
                             std::string("{"),
                             std::string("{}"),
                             std::string("{'item':'ticket','qty':1}"),
                             std::string(R"({"item":"ticket","qty":1)"),
                             std::string(R"({"item":"ticket","qty":1}})"),
                             std::string(R"({"item":"ticket","qty":1} x)"),
                             std::string(R"({"item":"ticket","qty":1,})"),
                             std::string(R"({"item":"ticket","item":"ticket","qty":1})"),
                             std::string(R"({"item":"ticket","qty":1,"qty":1})"),
                             std::string(R"({"item":7,"qty":1})"),
                             std::string(R"({"item":null,"qty":1})"),
                             std::string(R"({"qty":1})"),
                             std::string("{\"item\":\"tick\xff\x65t\",\"qty\":1}"),
                             std::string("{\"item\":\"tick\xc0\xae\",\"qty\":1}"),
                             std::string("{\"item\":\"ticket\",\"qty\":1}\0", 26),
                             std::string("{\"item\":\"tic\nket\",\"qty\":1}"),
                             nested})
      check_refused(server, body, 400, "bad_request");
    CHECK(server.books().reserved == 0);
  }

  TEST_CASE("a large body is refused before it is read") {
    Server server({.catalog = catalog({{}})});
    std::string large = "{\"item\":\"" + std::string(1'000'000, 'a') + "\",\"qty\":1}";
    check_refused(server, large, 413, "body_too_large");
    check_refused(server, with_qty(std::string(100'000, '[')), 413, "body_too_large");
    CHECK(server.order({.user = "u1"}).status == 201);
  }

  TEST_CASE("an unknown item is not found") {
    Server server({.catalog = catalog({{}})});
    check_refused(server, R"({"item":"nothing","qty":1})", 404, "unknown_item");
    check_refused(server, R"({"item":"Ticket","qty":1})", 404, "unknown_item");
    check_refused(server, "{\"item\":\"" + std::string(64, 'x') + "\",\"qty\":1}", 404,
                  "unknown_item");
    for (std::string path : {"/v1/items/nothing", "/v1/items/nothing/stock"}) {
      Response response = server.http().get(path);
      CHECK(response.status == 404);
      CHECK(response.code() == "unknown_item");
    }
  }

  TEST_CASE("nobody is nobody") {
    Server server({.catalog = catalog({{}})});
    std::string id = server.buy({.user = "u1"});
    for (Response response :
         {server.http().post("/v1/orders", with_qty("1")), server.http().get("/v1/orders/" + id),
          server.http().get("/v1/orders?item=ticket"),
          server.http().post("/v1/orders/" + id + "/cancel")}) {
      CHECK(response.status == 401);
      CHECK(response.code() == "unauthenticated");
    }
    CHECK(server.books().reserved == 1);
  }

  TEST_CASE("a body of another type is refused and a charset is not") {
    Server server({.catalog = catalog({{}})});
    for (std::string type : {"text/plain", "application/xml", "multipart/form-data; boundary=x"}) {
      Response response = server.http().post("/v1/orders", with_qty("1"),
                                             {{"X-User-Id", "u1"}, {"Content-Type", type}});
      CHECK(response.status == 415);
      CHECK(response.code() == "unsupported_media_type");
    }
    Headers headers{{"X-User-Id", "u1"}, {"Content-Type", "application/json; charset=utf-8"}};
    CHECK(server.order_with(headers, with_qty("1")).status == 201);
  }

  TEST_CASE("identity and price from fields that nobody signed are ignored") {
    Server server({.catalog = catalog({{}})});
    Response response = server.order_with(
        kUser,
        R"({"item":"ticket","qty":1,"user":"admin","amount":1,"price":1,"currency":"EUR","state":"paid"})");
    if (response.status != 400) {  // refusing what it does not know would be honest as well
      REQUIRE(response.status == 201);
      CHECK(response.json()["user"].text() == "u1");
      CHECK(response.json()["amount"].number() == 55350);
      CHECK(response.json()["currency"].text() == "CNY");
      CHECK(response.json()["state"].text() == "reserved");
    }
  }

  TEST_CASE("unknown paths and wrong methods are told apart") {
    Server server({.catalog = catalog({{}})});
    for (std::string path :
         {"/", "/v1", "/v1/", "/v1/order", "/v2/orders", "/v1/orders/", "/admin/status", "/metrics",
          "/v1/items/ticket/stock/", "/v1/../v1/time"}) {
      CAPTURE(path);
      Response response = server.http().get(path, kUser);
      CHECK(response.status == 404);
      CHECK((response.code() == "not_found" || response.code() == "unknown_order"));
    }
    struct Wrong {
      std::string method;
      std::string path;
      std::string allowed;
    };
    for (Wrong wrong : {Wrong{"DELETE", "/v1/orders", "POST"}, Wrong{"PUT", "/v1/orders", "POST"},
                        Wrong{"POST", "/v1/time", "GET"}, Wrong{"POST", "/v1/items", "GET"},
                        Wrong{"GET", "/v1/orders/0000000000004001/cancel", "POST"}}) {
      CAPTURE(wrong.path);
      Response response = server.http().request(wrong.method, wrong.path, kUser);
      CHECK(response.status == 405);
      CHECK(response.code() == "method_not_allowed");
      CHECK(response.header("Allow").find(wrong.allowed) != std::string::npos);
    }
  }

  TEST_CASE("a list without an item is a bad request") {
    Server server({.catalog = catalog({{}})});
    for (std::string path : {"/v1/orders", "/v1/orders?item=", "/v1/orders?thing=ticket"}) {
      CAPTURE(path);
      Response response = server.http().get(path, kUser);
      CHECK((response.status == 400 || response.status == 404));
    }
  }

  TEST_CASE("fewer units than asked for says how many are left") {
    Server server({.catalog = catalog({{.stock = 5}}), .shards = 2});
    server.buy({.user = "u1", .quantity = 3});
    Response response;
    CHECK(wait_until(
        [&] { return (response = server.order({.user = "u2", .quantity = 3})).status != 503; }));
    CHECK(response.status == 409);
    CHECK(response.code() == "not_enough");
    CHECK(response.json()["available"].number() == 2);
    server.buy({.user = "u2", .quantity = 2});
  }
}

}  // namespace
}  // namespace stampede::e2e
