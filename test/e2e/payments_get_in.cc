// When clients that wait hold all connections, what a buyer does with his order and a payment get in, and nothing else does.
#include <doctest/doctest.h>

#include <vector>

#include "harness/server.h"

namespace stampede::e2e {
namespace {

constexpr int kConnections = 20;

// Long polls on all connections but that of the operators.
std::vector<Http> hold_all_connections(Server& server, const std::vector<std::string>& orders) {
  server.http().close();
  std::vector<Http> polls;
  for (int i = 0; i < kConnections; ++i) {
    const std::string user = "u" + std::to_string(i);
    polls.push_back(server.client());
    REQUIRE(polls.back().connect());
    REQUIRE(polls.back().send(
        request_text("GET", "/v1/orders/" + orders[static_cast<size_t>(i)] + "?wait_ms=30000",
                     {{"X-User-Id", user}})));
  }
  REQUIRE(wait_until([&] { return server.metric("stampede_watchers") == kConnections; }));
  return polls;
}

TEST_SUITE("e2e/payments_get_in") {
  TEST_CASE("with every connection waiting money is taken and an order is read and cancelled") {
    Server server({.catalog = catalog({{.stock = 100}}),
                   .shards = 1,
                   .flags = {{"--connections", std::to_string(kConnections)}}});
    std::vector<std::string> orders;
    for (int i = 0; i < kConnections + 2; ++i)
      orders.push_back(server.buy({.user = "u" + std::to_string(i)}));
    const std::vector<Http> polls = hold_all_connections(server, orders);
    const auto ask = [&](const std::string& request) {
      Http newcomer = server.client();
      REQUIRE(newcomer.connect());
      REQUIRE(newcomer.send(request));
      const Response answer = newcomer.receive();
      CHECK(answer.header("Connection") == "close");
      CHECK(newcomer.is_closed_by_server());
      return answer;
    };
    // Nobody can hold what is kept for them: these ask nothing at all.
    std::vector<Http> bots;
    for (int i = 0; i < 100; ++i) {
      bots.push_back(server.client());
      bots.back().connect();
    }
    const std::string last = orders[kConnections], other = orders[kConnections + 1];
    server.http().close();
    CHECK(server.pay(last).status == 200);
    server.http().close();
    const std::string owner = "u" + std::to_string(kConnections + 1);
    CHECK(ask(request_text("GET", "/v1/orders/" + other, {{"X-User-Id", owner}})).status == 200);
    CHECK(ask(request_text("POST", "/v1/orders/" + other + "/cancel", {{"X-User-Id", owner}}))
              .json()["state"]
              .text() == "cancelled");
    for (const std::string& request :
         {order_request({.user = "late"}), request_text("GET", "/v1/time", {}),
          request_text("GET", "/v1/items", {})}) {
      const Response refused = ask(request);
      CHECK(refused.status == 503);
      CHECK(refused.code() == "overloaded");
      CHECK(!refused.header("Retry-After").empty());
    }
    CHECK(server.metric("stampede_watchers") == kConnections);
  }

  TEST_CASE("an idle connection that last paid outlives those that asked for something else") {
    Server server({.catalog = catalog({{.stock = 100}}),
                   .shards = 1,
                   .flags = {{"--connections", std::to_string(kConnections)}}});
    const std::string first = server.buy({.user = "u1"}), second = server.buy({.user = "u2"});
    CHECK(server.pay(first).status == 200);  // on the connection of server.http()
    std::vector<Http> bots;
    for (int i = 0; i < 5 * kConnections; ++i) {
      bots.push_back(server.client());
      CHECK(bots.back().get("/v1/time").status == 200);
    }
    CHECK(!server.http().has_input(milliseconds{0}));  // it was not closed
    CHECK(server.pay(second).status == 200);
  }
}

}  // namespace
}  // namespace stampede::e2e
