// Pages of other origins call the API from a browser when the server lists them, and hear nothing otherwise.

#include <doctest/doctest.h>

#include "harness/server.h"

namespace stampede::e2e {
namespace {

const std::string kShop = "https://shop.example", kOther = "https://other.example";

Headers from(const std::string& origin, Headers headers = {}) {
  headers.emplace_back("Origin", origin);
  return headers;
}

bool has_cross_origin_header(const Response& response) {
  for (const auto& [name, value] : response.headers)
    if (name.starts_with("Access-Control-") || name == "Vary") return true;
  return false;
}

TEST_SUITE("e2e/allow_origin") {
  TEST_CASE("without the flag no answer has a header of it") {
    Server server({.catalog = catalog({{}})});
    const Headers order = from(kShop, {{"X-User-Id", "u1"}});
    CHECK(!has_cross_origin_header(server.order_with(order, order_body({}))));
    CHECK(!has_cross_origin_header(server.http().get("/v1/items", from(kShop))));
    const Response asked = server.http().request(
        "OPTIONS", "/v1/orders", from(kShop, {{"Access-Control-Request-Method", "POST"}}));
    CHECK(asked.status == 405);
    CHECK(!has_cross_origin_header(asked));
  }

  TEST_CASE("every public answer to a listed origin may be read and to another may not") {
    Server server(
        {.catalog = catalog({{.stock = 1}}),
         .shards = 2,
         .flags = {{"--allow-origin", kShop}, {"--allow-origin=http://localhost:3000", ""}}});
    const auto check = [&](const std::string& method, const std::string& path, int status,
                           const std::string& body = "", Headers headers = {}) {
      CAPTURE(path);
      for (const std::string& origin : {kShop, kOther, std::string("null")}) {
        const Response response = server.http().request(method, path, from(origin, headers), body);
        CHECK(response.header("Access-Control-Allow-Origin") == (origin == kShop ? kShop : ""));
        CHECK(response.header("Vary") == "Origin");
        if (origin == kShop) {
          CHECK(response.status == status);
          CHECK(response.header("Access-Control-Expose-Headers") == "ETag, Retry-After");
        }
      }
    };
    const Headers user{{"X-User-Id", "u1"}, {"Idempotency-Key", "k1"}};
    check("POST", "/v1/orders", 201, order_body({}), user);
    check("POST", "/v1/orders", 409, order_body({}), {{"X-User-Id", "u2"}});
    check("POST", "/v1/orders", 401, order_body({}));
    check("POST", "/v1/orders", 400, "{", user);
    check("GET", "/v1/orders?item=ticket", 200, "", user);
    check("GET", "/v1/items", 200);
    check("HEAD", "/v1/items/ticket", 200);
    check("GET", "/v1/items/ticket/stock", 200);
    check("GET", "/v1/time", 200);
    check("GET", "/nowhere", 404);
    // What ends the connection, too.
    check("POST", "/v1/orders", 413, std::string(5'000, ' '), user);
    check("POST", "/v1/orders", 415, order_body({}), {{"Content-Encoding", "gzip"}});
    check("POST", "/v1/orders", 417, order_body({}), {{"Expect", "a miracle"}});
    CHECK(!has_cross_origin_header(server.admin().get("/healthz")));
  }

  TEST_CASE("what a browser asks first is answered for every path without a user") {
    Server server({.catalog = catalog({{}}), .flags = {{"--allow-origin", kShop}}});
    for (const auto& [path, methods] : {std::pair{"/v1/orders", "GET, HEAD, POST"},
                                        {"/v1/orders/0000000000004a1e", "GET, HEAD"},
                                        {"/v1/orders/0000000000004a1e/cancel", "POST"},
                                        {"/v1/items", "GET, HEAD"},
                                        {"/v1/items/ticket/link", "POST"},
                                        {"/v1/time", "GET, HEAD"}}) {
      const Response response = server.http().request(
          "OPTIONS", path,
          from(kShop, {{"Access-Control-Request-Method", "POST"},
                       {"Access-Control-Request-Headers", "authorization,idempotency-key"}}));
      CAPTURE(path);
      CHECK(response.status == 204);
      CHECK(response.header("Access-Control-Allow-Origin") == kShop);
      CHECK(response.header("Access-Control-Allow-Methods") == methods);
      CHECK(response.header("Access-Control-Allow-Headers").find("Authorization") == 0);
      CHECK(response.header("Access-Control-Max-Age") == "3600");
      CHECK(server.http().request("OPTIONS", path, from(kOther)).status == 405);
    }
    CHECK(server.http().request("OPTIONS", "/nowhere", from(kShop)).status == 404);
    CHECK(server.http().request("OPTIONS", "*", from(kShop)).status == 200);
  }

  TEST_CASE("an origin that no browser sends is refused at the start") {
    for (const char* origin : {"shop.example", "https://shop.example/", "HTTPS://shop.example"}) {
      Server server(
          {.catalog = catalog({{}}), .flags = {{"--allow-origin", origin}}, .starts = false});
      CHECK(server.start_and_fail() == 2);
      CHECK(server.says("--allow-origin: "));
    }
  }
}

}  // namespace
}  // namespace stampede::e2e
