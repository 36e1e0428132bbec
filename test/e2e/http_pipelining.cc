// Requests of one connection are answered in their order, however they are cut into packets and
// whichever shard works on them; what a client half-closes is finished, what it resets is not
// undone.
#include <doctest/doctest.h>

#include "harness/server.h"

namespace stampede::e2e {
namespace {

// An order was read and answered; on a slow machine the answer may be to try again.
bool is_answer_to_an_order(const Response& response) {
  return response.status == 201 || (response.status == 503 && response.code() == "try_again");
}

TEST_SUITE("e2e/http_pipelining") {
  TEST_CASE("answers come in the order of the requests") {
    for (int shards : {1, 2, 5}) {
      CAPTURE(shards);
      Server server({.catalog = catalog({{.stock = 1'000}}), .shards = shards});
      Http http = server.client();
      REQUIRE(http.connect());
      std::string all;
      // Local answers, orders on every shard and refusals take ways of very different length.
      for (int i = 0; i < 300; ++i)
        all += i % 3 == 0   ? order_request({.user = "u" + std::to_string(i)})
               : i % 3 == 1 ? request_text("GET", "/v1/time")
                            : request_text("GET", "/nowhere/" + std::to_string(i));
      REQUIRE(http.send(all));
      for (int i = 0; i < 300; ++i) {
        CAPTURE(i);
        Response response = http.receive();
        if (i % 3 == 0)
          REQUIRE(is_answer_to_an_order(response));
        else
          REQUIRE(response.status == (i % 3 == 1 ? 200 : 404));
        if (response.status == 201)
          CHECK(response.json()["user"].text() == "u" + std::to_string(i));
      }
    }
  }

  TEST_CASE("a request may come byte by byte") {
    Server server({.catalog = catalog({{}})});
    Http http = server.client();
    REQUIRE(http.connect());
    for (char byte : order_request({.user = "u1"})) REQUIRE(http.send(std::string(1, byte)));
    CHECK(is_answer_to_an_order(http.receive()));
    CHECK(http.get("/v1/time").status == 200);
  }

  TEST_CASE("a chunked body is a body") {
    Server server({.catalog = catalog({{}})});
    Http http = server.client();
    REQUIRE(http.connect());
    std::string body = order_body({}),
                head =
                    "POST /v1/orders HTTP/1.1\r\nHost: x\r\nX-User-Id: u1\r\n"
                    "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    std::string chunks = "5\r\n" + body.substr(0, 5) + "\r\n10\r\n" + body.substr(5, 16) + "\r\n";
    std::string rest = body.substr(21);
    REQUIRE(rest.size() < 16);
    chunks += "0123456789abcdef"[rest.size()] + ("\r\n" + rest) + "\r\n0\r\n\r\n";
    REQUIRE(http.send(head + chunks + request_text("GET", "/v1/time")));
    CHECK(is_answer_to_an_order(http.receive()));
    CHECK(http.receive().status == 200);
  }

  TEST_CASE("a client that waits for 100 Continue gets it") {
    Server server({.catalog = catalog({{}})});
    Http http = server.client();
    REQUIRE(http.connect());
    std::string request = order_request({.user = "u1"});
    size_t body_at = request.find("\r\n\r\n") + 4;
    request.insert(body_at - 2, "Expect: 100-continue\r\n");
    body_at += 22;
    REQUIRE(http.send(request.substr(0, body_at)));
    CHECK(http.receive().status == 100);
    REQUIRE(http.send(request.substr(body_at)));
    CHECK(is_answer_to_an_order(http.receive()));
  }

  TEST_CASE("Connection close is obeyed and later bytes are not read") {
    Server server({.catalog = catalog({{}})});
    Http http = server.client();
    REQUIRE(http.connect());
    REQUIRE(http.send(request_text("GET", "/v1/time", {{"Connection", "close"}}) +
                      order_request({.user = "u1"})));
    std::string all = http.receive_until_closed();
    CHECK(all.rfind("HTTP/1.1 200 ", 0) == 0);
    CHECK(all.find("HTTP/1.1", 10) == std::string::npos);
    CHECK(server.books().reserved == 0);
  }

  TEST_CASE("HTTP/1.0 is answered and closed") {
    Server server({.catalog = catalog({{}})});
    Http http = server.client();
    REQUIRE(http.connect());
    REQUIRE(http.send("GET /v1/time HTTP/1.0\r\n\r\n"));
    CHECK(http.receive_until_closed().find(" 200 ") != std::string::npos);
  }

  TEST_CASE("a client that stops sending gets all its answers and then the end") {
    for (int shards : {1, 5}) {
      Server server({.catalog = catalog({{.stock = 100}}), .shards = shards});
      Http http = server.client();
      REQUIRE(http.connect());
      std::string all;
      for (int i = 0; i < 20; ++i) all += order_request({.user = "u" + std::to_string(i)});
      REQUIRE(http.send(all));
      http.shutdown_write();
      for (int i = 0; i < 20; ++i) CHECK(is_answer_to_an_order(http.receive()));
      CHECK(http.is_closed_by_server());
    }
  }

  TEST_CASE("a client that stops in the middle of a request is closed and nothing is bought") {
    Server server({.catalog = catalog({{}})});
    std::string request = order_request({.user = "u1"});
    for (size_t cut : {size_t{10}, request.find("\r\n\r\n") + 4, request.size() - 1}) {
      Http http = server.client();
      REQUIRE(http.connect());
      REQUIRE(http.send(request.substr(0, cut)));
      http.shutdown_write();
      std::string error;
      http.receive_until_closed(&error);
      CHECK(error.empty());
    }
    CHECK(server.books().reserved == 0);
  }

  TEST_CASE("an order whose client is gone is kept and found by its key") {
    for (int shards : {1, 5}) {
      Server server({.catalog = catalog({{.stock = 1'000}}), .shards = shards});
      for (int i = 0; i < 50; ++i) {
        Http http = server.client();
        REQUIRE(http.connect());
        REQUIRE(http.send(order_request({.user = "u" + std::to_string(i), .key = "k"})));
        http.reset();
      }
      for (int i = 0; i < 50; ++i) {
        std::string user = "u" + std::to_string(i);
        Response response = server.order({.user = user, .key = "k"});
        CHECK((response.status == 200 || response.status == 201));
        CHECK(server.list(user).json()["orders"].size() == 1);
      }
      server.check_books();
    }
  }

  TEST_CASE("HEAD and GET change nothing and HEAD has GET's head") {
    Server server({.catalog = catalog({{}})});
    std::string id = server.buy({.user = "u1"});
    Headers user{{"X-User-Id", "u1"}};
    for (std::string path :
         {std::string("/v1/time"), std::string("/v1/items"), std::string("/v1/items/ticket"),
          "/v1/orders/" + id, std::string("/v1/orders?item=ticket")}) {
      CAPTURE(path);
      Response get = server.http().get(path, user), head = server.http().head(path, user);
      CHECK(get.status == 200);
      CHECK(head.status == 200);
      CHECK(head.body.empty());
      CHECK(head.header("Content-Length") == get.header("Content-Length"));
      CHECK(head.header("Content-Type") == get.header("Content-Type"));
    }
    for (std::string path : {"/v1/orders/" + id + "/cancel", "/v1/orders/" + id + "/payment"})
      for (std::string method : {"GET", "HEAD"})
        CHECK(server.http().request(method, path, user).status == 405);
    CHECK(server.state_of("u1", id) == "reserved");
    CHECK(server.books().reserved == 1);
  }
}

}  // namespace
}  // namespace stampede::e2e
