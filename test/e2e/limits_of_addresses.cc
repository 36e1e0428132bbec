// Requests and connections of one address have their limits, one for all shards; by the peer, or by what a gateway says.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "harness/server.h"

namespace stampede::e2e {
namespace {

int served(Server& server, int connections, const Headers& headers = {}) {
  int count = 0;
  for (int i = 0; i < connections; ++i)
    count += server.client().get("/v1/time", headers).status == 200;
  return count;
}

TEST_SUITE("e2e/limits_of_addresses") {
  TEST_CASE("an address has one allowance for all shards and is told when the next begins") {
    Server server({.catalog = catalog({{}}), .shards = 3, .flags = {{"--rate-address", "20/24h"}}});
    CHECK(served(server, 40) == 20);
    const Response refused = server.client().get("/v1/time");
    CHECK(refused.status == 429);
    CHECK(refused.body.find("\"limit\":\"address\"") != std::string::npos);
    CHECK(!refused.header("Retry-After").empty());
    CHECK(server.order({.user = "late"}).status == 429);
  }

  TEST_CASE("a gateway names the buyers and each has an allowance of his own") {
    Server server({.catalog = catalog({{}}),
                   .shards = 2,
                   .flags = {{"--rate-address", "5/24h"},
                             {"--address-header", "X-Real-IP"},
                             {"--trust-gateway", ""}}});
    CHECK(served(server, 10, {{"X-Real-IP", "192.0.2.1"}}) == 5);
    CHECK(served(server, 10, {{"x-real-ip", "::ffff:192.0.2.1"}}) == 0);
    CHECK(served(server, 10, {{"X-REAL-IP", "2001:db8::1"}}) == 5);
    CHECK(served(server, 10, {{"X-Real-IP", "2001:db8::2"}}) == 0);
    CHECK(server.client()
              .get("/v1/time", {{"X-Real-IP", "192.0.2.9"}, {"X-Real-IP", "192.0.2.8"}})
              .status == 400);
  }

  TEST_CASE("an address has so many connections and one that closes makes room") {
    Server server(
        {.catalog = catalog({{}}), .shards = 2, .flags = {{"--connections-address", "4"}}});
    server.http().close();
    const auto has_room = [&] { return server.client().get("/v1/time").status == 200; };
    CHECK(wait_until(has_room));
    std::vector<Http> clients;
    for (int i = 0; i < 4; ++i) {
      clients.push_back(server.client());
      CHECK(wait_until([&] { return clients.back().get("/v1/time").status == 200; }));
    }
    CHECK(Http(server.admin_address()).get("/readyz").status == 200);
    CHECK(server.client().get("/v1/time").status == 429);
    clients.pop_back();
    CHECK(wait_until(has_room));
  }
}

}  // namespace
}  // namespace stampede::e2e
