// A read with wait_ms is held until the order changes, and never longer than asked for.
#include <doctest/doctest.h>
#include <signal.h>

#include <chrono>
#include <thread>

#include "harness/server.h"

namespace stampede::e2e {
namespace {

std::string wait_path(const std::string& id, int wait_ms) {
  return "/v1/orders/" + id + "?wait_ms=" + std::to_string(wait_ms);
}

// Sends the poll, does something to the order and returns the poll's answer.
Response poll_while(Server& server, const std::string& user, const std::string& id,
                    const std::function<void()>& change) {
  Http http = server.client();
  REQUIRE(http.connect());
  REQUIRE(http.send(request_text("GET", wait_path(id, 30'000), {{"X-User-Id", user}})));
  CHECK(!http.has_input(milliseconds{100}));
  change();
  return http.receive();
}

TEST_SUITE("e2e/long_poll") {
  TEST_CASE("a poll is answered when the order is paid or cancelled or expires") {
    for (int shards : {1, 2, 5}) {
      CAPTURE(shards);
      Server server(
          {.catalog = catalog({{.stock = 10}, {.code = "brief", .stock = 10, .pay_window_s = 1}}),
           .shards = shards});
      std::string a = server.buy({.user = "u1"}), b = server.buy({.user = "u2"});
      Response paid = poll_while(server, "u1", a, [&] { CHECK(server.pay(a).status == 200); });
      CHECK(paid.status == 200);
      CHECK(paid.json()["state"].text() == "paid");
      Response cancelled =
          poll_while(server, "u2", b, [&] { CHECK(server.cancel("u2", b).status == 200); });
      CHECK(cancelled.json()["state"].text() == "cancelled");
      std::string c = server.buy({.user = "u3", .item = "brief"});
      CHECK(poll_while(server, "u3", c, [] {}).json()["state"].text() == "expired");
    }
  }

  TEST_CASE("a poll without news ends after its time with the order as it is") {
    Server server({.catalog = catalog({{}})});
    std::string id = server.buy({.user = "u1"});
    auto asked = std::chrono::steady_clock::now();
    Response response = server.http().get(wait_path(id, 300), {{"X-User-Id", "u1"}});
    CHECK(response.status == 200);
    CHECK(response.json()["state"].text() == "reserved");
    CHECK(std::chrono::steady_clock::now() - asked >= milliseconds{290});
    CHECK(server.http().get(wait_path(id, 0), {{"X-User-Id", "u1"}}).status == 200);
  }

  TEST_CASE("a poll is answered at once when another request follows it") {
    Server server({.catalog = catalog({{}}), .shards = 2});
    std::string id = server.buy({.user = "u1"});
    Headers user{{"X-User-Id", "u1"}};
    Http http = server.client();
    REQUIRE(http.connect());
    REQUIRE(http.send(request_text("GET", wait_path(id, 30'000), user) +
                      request_text("GET", "/v1/time")));
    CHECK(http.receive().json()["state"].text() == "reserved");
    CHECK(http.receive().status == 200);
    REQUIRE(http.send(request_text("GET", wait_path(id, 30'000), user)));
    CHECK(!http.has_input(milliseconds{100}));
    REQUIRE(http.send(request_text("GET", "/v1/time")));
    CHECK(http.receive().json()["state"].text() == "reserved");
    CHECK(http.receive().status == 200);
  }

  TEST_CASE("a poll is answered when the server stops") {
    Server server({.catalog = catalog({{}})});
    std::string id = server.buy({.user = "u1"});
    Http http = server.client();
    REQUIRE(http.connect());
    REQUIRE(http.send(request_text("GET", wait_path(id, 30'000), {{"X-User-Id", "u1"}})));
    CHECK(!http.has_input(milliseconds{100}));
    server.process().signal(SIGTERM);
    Response response = http.receive();
    CHECK((response.status == 200 || response.code() == "shutting_down"));
    CHECK(server.process().wait(kPatience) == 0);
  }

  TEST_CASE("a poll of another user's order is not held") {
    Server server({.catalog = catalog({{}})});
    std::string id = server.buy({.user = "alice"});
    CHECK(server.http().get(wait_path(id, 30'000), {{"X-User-Id", "mallory"}}).status == 404);
  }

  TEST_CASE("many polls of one order are all answered") {
    Server server({.catalog = catalog({{}}), .shards = 2});
    std::string id = server.buy({.user = "u1"});
    std::vector<Http> polls;
    for (int i = 0; i < 200; ++i) {
      polls.push_back(server.client());
      REQUIRE(polls.back().connect());
      REQUIRE(polls.back().send(request_text("GET", wait_path(id, 30'000), {{"X-User-Id", "u1"}})));
    }
    CHECK(!polls.back().has_input(milliseconds{100}));
    for (int i = 0; i < 20; ++i) polls[i].reset();
    REQUIRE(server.pay(id).status == 200);
    for (int i = 20; i < 200; ++i) CHECK(polls[i].receive().json()["state"].text() == "paid");
  }

  TEST_CASE("a wait that is no number is a bad request") {
    Server server({.catalog = catalog({{}})});
    std::string id = server.buy({.user = "u1"});
    for (std::string wait : {"x", "-1", "", "1.5", "99999999999999999999"}) {
      CAPTURE(wait);
      Response response =
          server.http().get("/v1/orders/" + id + "?wait_ms=" + wait, {{"X-User-Id", "u1"}});
      CHECK(response.status == 400);
    }
  }
}

}  // namespace
}  // namespace stampede::e2e
