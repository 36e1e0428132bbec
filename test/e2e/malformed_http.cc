// A request that could be read in two ways is read in none: it gets its refusal and the connection
// ends, so that no second request can hide inside it.
#include <doctest/doctest.h>

#include "harness/server.h"

namespace stampede::e2e {
namespace {

struct Case {
  std::string what;
  std::string request;
  int status;
  std::string code;
};

std::string get(const std::string& extra, const std::string& line = "GET /v1/time HTTP/1.1") {
  return line + "\r\nHost: x\r\n" + extra + "\r\n";
}

std::string post(const std::string& extra, const std::string& body) {
  return "POST /v1/orders HTTP/1.1\r\nHost: x\r\nX-User-Id: u1\r\nContent-Type: "
         "application/json\r\n" +
         extra + "\r\n" + body;
}

std::vector<Case> cases() {
  const std::string body = order_body({}), length = std::to_string(body.size());
  const std::string cl = "Content-Length: " + length + "\r\n",
                    te = "Transfer-Encoding: chunked\r\n";
  return {
      {"length and chunks together", post(cl + te, "0\r\n\r\n"), 400, "bad_request"},
      {"two lengths", post(cl + cl, body), 400, "bad_request"},
      {"a list of lengths", post("Content-Length: " + length + ", " + length + "\r\n", body), 400,
       "bad_request"},
      {"a signed length", post("Content-Length: +" + length + "\r\n", body), 400, "bad_request"},
      {"a negative length", post("Content-Length: -1\r\n", body), 400, "bad_request"},
      {"a length in hex", post("Content-Length: 0x1f\r\n", body), 400, "bad_request"},
      {"an empty length", post("Content-Length: \r\n", body), 400, "bad_request"},
      {"too long a body", post("Content-Length: 4097\r\n", ""), 413, "body_too_large"},
      {"an unknown coding", post("Transfer-Encoding: gzip, chunked\r\n", ""), 501,
       "not_implemented"},
      {"chunked that is not the last coding", post("Transfer-Encoding: chunked, gzip\r\n", ""), 400,
       "bad_request"},
      {"a last coding in a second line", post(te + "Transfer-Encoding: gzip\r\n", ""), 400,
       "bad_request"},
      {"a coding in a first line", post("Transfer-Encoding: gzip\r\n" + te, ""), 501,
       "not_implemented"},
      {"a coding without chunks", post("Transfer-Encoding: gzip\r\n", ""), 400, "bad_request"},
      {"an endless method", std::string(100'000, 'M'), 501, "not_implemented"},
      {"chunks in HTTP/1.0", "POST /v1/orders HTTP/1.0\r\nHost: x\r\n" + te + "\r\n0\r\n\r\n", 400,
       "bad_request"},
      {"a bad chunk size", post(te, "xyz\r\n"), 400, "bad_request"},
      {"a chunk that is too long for its size", post(te, "1\r\nab\r\n0\r\n\r\n"), 400,
       "bad_request"},
      {"a bare line feed", "GET /v1/time HTTP/1.1\nHost: x\n\n", 400, "bad_request"},
      {"a folded field", get("X-A: b\r\n c\r\n"), 400, "bad_request"},
      {"a space before the colon", get("X-A : b\r\n"), 400, "bad_request"},
      {"a field without a name", get(": b\r\n"), 400, "bad_request"},
      {"a zero byte in a value", get(std::string("X-A: b\0c\r\n", 10)), 400, "bad_request"},
      {"no host", "GET /v1/time HTTP/1.1\r\n\r\n", 400, "bad_request"},
      {"two hosts", get("Host: y\r\n"), 400, "bad_request"},
      {"two spaces in the request line", get("", "GET  /v1/time HTTP/1.1"), 400, "bad_request"},
      {"a space at the end of the request line", get("", "GET /v1/time HTTP/1.1 "), 400,
       "bad_request"},
      {"a control character in the target", get("", "GET /v1/\x01time HTTP/1.1"), 400,
       "bad_request"},
      {"a fragment in the target", get("", "GET /v1/time#x HTTP/1.1"), 400, "bad_request"},
      {"too long a target", get("", "GET /" + std::string(3'000, 'a') + " HTTP/1.1"), 414,
       "uri_too_long"},
      {"too large a head", get("X-A: " + std::string(9'000, 'a') + "\r\n"), 431,
       "headers_too_large"},
      {"too many fields", get([] {
         std::string many;
         for (int i = 0; i < 70; ++i) many += "X-" + std::to_string(i) + ": b\r\n";
         return many;
       }()),
       431, "headers_too_large"},
      {"an expectation that nobody knows", post(cl + "Expect: miracles\r\n", body), 417,
       "expectation_failed"},
      {"HTTP/2 in the request line", get("", "GET /v1/time HTTP/2.0"), 505,
       "version_not_supported"},
      {"something that is no HTTP", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400,
       "bad_request"},
  };
}

TEST_SUITE("e2e/malformed_http") {
  TEST_CASE("doubt about framing is refused and the connection ends") {
    Server server({.catalog = catalog({{}})});
    for (const Case& bad : cases()) {
      CAPTURE(bad.what);
      Http http = server.client();
      REQUIRE(http.connect());
      // The order behind it must not be read: whoever smuggles gets nothing.
      REQUIRE(http.send(bad.request + order_request({.user = "smuggled"})));
      Response response = http.receive();
      CHECK(response.status == bad.status);
      if (response.status != 0) CHECK(response.code() == bad.code);
      CHECK(http.is_closed_by_server());
    }
    CHECK(server.books().reserved == 0);
    CHECK(server.http().get("/v1/time").status == 200);
  }

  TEST_CASE("an order without a length is asked for one") {
    Server server({.catalog = catalog({{}})});
    Http http = server.client();
    REQUIRE(http.connect());
    REQUIRE(http.send(post("", "")));
    Response response = http.receive();
    CHECK(response.status == 411);
    CHECK(response.code() == "length_required");
  }

  TEST_CASE("a method that is not known is refused") {
    Server server({.catalog = catalog({{}})});
    for (std::string method : {"BREW", "get", "TRACE", "CONNECT", "PATCH"}) {
      CAPTURE(method);
      Response response = server.http().request(method, "/v1/time");
      CHECK((response.status == 405 || response.status == 501 || response.status == 400));
    }
  }

  TEST_CASE("a body of as many keys as it can begin is no JSON and nobody suffers") {
    Server server({.catalog = catalog({{}})});
    std::string body = "{";
    while (body.size() < 4'071) body += "\"\":0,";
    for (const char* last : {"\"\":", "{\"\":", "{\"\":", "{\"\":", "{\"\":", "{\"\":"})
      body += last;
    Http http = server.client();
    REQUIRE(http.connect());
    REQUIRE(http.send(post("Content-Length: " + std::to_string(body.size()) + "\r\n", body)));
    CHECK(http.receive().status == 400);
    CHECK(server.http().get("/v1/time").status == 200);
  }

  TEST_CASE("one empty line before a request is forgiven") {
    Server server({.catalog = catalog({{}})});
    Http http = server.client();
    REQUIRE(http.connect());
    REQUIRE(http.send("\r\n" + request_text("GET", "/v1/time")));
    CHECK(http.receive().status == 200);
  }

  TEST_CASE("an offer to upgrade is ignored") {
    Server server({.catalog = catalog({{}})});
    Response response = server.http().get(
        "/v1/time", {{"Connection", "Upgrade, HTTP2-Settings"}, {"Upgrade", "h2c"}});
    CHECK(response.status == 200);
  }
}

}  // namespace
}  // namespace stampede::e2e
