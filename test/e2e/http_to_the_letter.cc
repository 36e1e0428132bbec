// What RFC 9110 and 9112 allow a client to send is taken as they mean it, and the connection goes on.
#include <doctest/doctest.h>

#include "harness/server.h"

namespace stampede::e2e {
namespace {

// The answer to one request of these bytes, on a connection that must stay open behind it.
Response ask(Server& server, const std::string& request) {
  CAPTURE(request);
  Http http = server.client();
  REQUIRE(http.connect());
  REQUIRE(http.send(request));
  const Response response = http.receive();
  CHECK(http.get("/v1/time").status == 200);
  return response;
}

std::string get(const std::string& target, const std::string& lines = "") {
  return "GET " + target + " HTTP/1.1\r\nHost: x\r\n" + lines + "\r\n";
}

TEST_SUITE("e2e/http_to_the_letter") {
  TEST_CASE("a target is a path or a URL with its percent-encoding and whatever query") {
    Server server({.catalog = catalog({{}})});
    for (const char* target :
         {"http://[::1]:8080/v1/time", "http://x/v1/time", "HTTP://127.0.0.1:8080/v1/time?a",
          "/v1/items/tick%65t", "/%761/items/ticket/stoc%6b", "/v1/items/ticket?from=[app]",
          "/v1/items/ticket?a={b}|c^d`e\\f", "/v1/items?q=\xe7\xa5\xa8", "/v1/time?%zz=%"})
      CHECK(ask(server, get(target)).status == 200);
    CHECK(ask(server, get("/v1/items/tick%2Fet")).code() == "unknown_item");
    CHECK(ask(server, get("/v1/items%2Fticket")).code() == "not_found");
    CHECK(ask(server, get("/v1/items/%zz")).code() == "bad_request");
    CHECK(ask(server, "GET /v1/time HTTP/1.1\r\nHost:\r\n\r\n").status == 200);
  }

  TEST_CASE("OPTIONS of the server names its methods") {
    Server server({.catalog = catalog({{}})});
    for (const char* target : {"*", "http://x:80"}) {
      const Response response =
          ask(server, std::string("OPTIONS ") + target + " HTTP/1.1\r\nHost: x\r\n\r\n");
      CHECK(response.status == 200);
      CHECK(response.header("Allow") == "GET, HEAD, POST, OPTIONS");
    }
    CHECK(server.admin().request("OPTIONS", "*").status == 200);
  }

  TEST_CASE("headers that a gateway has blanked are as good as none") {
    Server server({.catalog = catalog({{}})});
    const std::string blank =
        "X-User-Id:\r\nAuthorization:\r\nContent-Type: \r\nIf-None-Match:\r\nExpect:\r\n";
    CHECK(ask(server, get("/v1/time", blank)).status == 200);
    CHECK(ask(server, get("/v1/items/ticket", blank + "Idempotency-Key:\r\n")).status == 200);
    CHECK(ask(server, get("/v1/orders?item=ticket", blank)).code() == "unauthenticated");
    const std::string order =
        "POST /v1/orders HTTP/1.1\r\nHost: x\r\nX-User-Id: u1\r\nIdempotency-Key: "
        "\r\nAuthorization:\r\n"
        "Content-Type:\r\nContent-Encoding:\r\nOrigin:\r\nStampede-Proof:\r\nIf-None-Match:\r\n"
        "Expect:\r\nConnection:\r\nContent-Length: 25\r\n\r\n{\"item\":\"ticket\",\"qty\":1}";
    CHECK(ask(server, order).status == 201);
  }

  TEST_CASE("what a client has is not sent again whichever line names it") {
    Server server({.catalog = catalog({{}})});
    for (const char* path : {"/v1/items", "/v1/items/ticket"}) {
      const std::string tag = server.http().get(path).header("ETag");
      REQUIRE(!tag.empty());
      const std::string other = "If-None-Match: \"a,b\", W/\"x\"\r\n";
      for (const std::string& lines :
           {"If-None-Match: " + tag + "\r\n", other + "If-None-Match: " + tag + "\r\n",
            "If-None-Match: W/" + tag + "\r\n" + other, "If-None-Match: \"a\" , " + tag + " ,\r\n",
            other + "If-None-Match: *\r\n"}) {
        Http http = server.client();
        REQUIRE(http.connect());
        REQUIRE(http.send(get(path, lines) + get("/v1/time", "Connection: close\r\n")));
        CHECK(http.receive_until_closed().rfind("HTTP/1.1 304 ", 0) == 0);
      }
      CHECK(ask(server, get(path, other)).status == 200);
    }
  }

  TEST_CASE("a ticket's scheme may have any case and any number of spaces") {
    Server server({.catalog = catalog({{}}), .flags = {{"--auth", "ticket"}}});
    for (const char* scheme : {"Bearer ", "bearer ", "BEARER   "}) {
      const std::string line = "Authorization: " + (scheme + ticket("u1")) + "\r\n";
      CHECK(ask(server, get("/v1/orders?item=ticket", line)).status == 200);
    }
    const std::string line = "Authorization: Bearer\t" + ticket("u1") + "\r\n";
    CHECK(ask(server, get("/v1/orders?item=ticket", line)).status == 401);
  }

  TEST_CASE("a body in a content coding is refused and not read as if it were plain") {
    Server server({.catalog = catalog({{}})});
    const Headers user{{"X-User-Id", "u1"}};
    for (const char* coding : {"gzip", "br", "identity, gzip", "x"}) {
      Headers headers = user;
      headers.emplace_back("Content-Encoding", coding);
      CHECK(server.order_with(headers, order_body({})).status == 415);
    }
    CHECK(server.books().reserved == 0);
    Headers headers = user;
    headers.emplace_back("Content-Encoding", "identity");
    CHECK(server.order_with(headers, order_body({})).status == 201);
  }

  TEST_CASE("a payment is taken with whatever else its provider writes into it") {
    Server server({.catalog = catalog({{}})});
    const std::string id = server.buy({.user = "u1"});
    const std::string body =
        R"({"payment_id":"p1","amount":55350,"currency":"cny","status":"succeeded",)"
        R"("transaction_id":4200001234202211011234567890,"rate":1e999,"name":"\ud83d",)"
        R"("raw":{"amount":[null,{"currency":1}]}})";
    for (int i = 0; i < 2; ++i) {
      const Response response = server.http().post("/v1/orders/" + id + "/payment", body,
                                                   {{"Stampede-Signature", signature(body)}});
      CHECK(response.status == 200);
      CHECK(response.json()["state"].text() == "paid");
    }
    REQUIRE(server.wait_drained());
    CHECK(Database(server.database_path()).text("select currency from payments") == "CNY");
  }

  TEST_CASE("a payment provider that replaces its key signs with both") {
    Server server({.catalog = catalog({{}})});
    const std::string id = server.buy({.user = "u1"});
    const std::string body = payment_body({});
    const std::string good = signature(body);
    const std::string by_another = good.substr(0, good.find(',')) + ",v1=" + std::string(64, '0');
    const auto pay = [&](const std::string& header) {
      return server.http()
          .post("/v1/orders/" + id + "/payment", body, {{"Stampede-Signature", header}})
          .status;
    };
    CHECK(pay(by_another) == 401);
    CHECK(pay(by_another + good.substr(good.find(','))) == 200);
    CHECK(pay(good + ",v1=" + std::string(64, '0')) == 200);
  }

  TEST_CASE("a key of up to 255 characters belongs to its order for good") {
    Server server({.catalog = catalog({{}})});
    for (size_t size : {64, 65, 66, 128, 255}) {
      const std::string key(size, '"'), other = key.substr(1) + "'";
      const std::string id = server.buy({.user = "u1", .key = key});
      const Response again = server.order({.user = "u1", .key = key});
      CHECK(again.json()["order_id"].text() == id);
      CHECK(server.order({.user = "u1", .quantity = 2, .key = key}).code() == "key_reused");
      CHECK(server.order({.user = "u1", .key = other}).status == 201);
      server.kill9();
      server.start();
      CHECK(server.order({.user = "u1", .key = key}).json()["order_id"].text() == id);
    }
    CHECK(server.order({.user = "u1", .key = std::string(256, 'k')}).code() == "bad_request");
  }

  TEST_CASE("a file may begin with a byte order mark") {
    Server server({.catalog = "\xEF\xBB\xBF" + catalog({{}})});
    CHECK(server.order({.user = "u1"}).status == 201);
  }
}

}  // namespace
}  // namespace stampede::e2e
