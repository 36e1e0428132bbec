// Operators see where the time of a shard's turns goes: GET /admin/turns, and a line for turns above --slow-turn-us.
#include <doctest/doctest.h>

#include "../servers/await.h"
#include "harness/server.h"

namespace stampede::e2e {
namespace {

Server server_with(const std::string& slow_turn_us) {
  return Server({.catalog = catalog({{.stock = 10}}),
                 .shards = 2,
                 .flags = {{"--slow-turn-us", slow_turn_us}}});
}

TEST_SUITE("e2e/turns") {
  TEST_CASE(
      "the turns of a shard are shown with their phases and those of a request are among them") {
    Server server = server_with("0");
    server.buy({.user = "u1"});
    int64_t requests = 0, records = 0;
    for (const std::string shard : {"0", "1"}) {
      const Response response = server.admin().get("/admin/turns?shard=" + shard);
      REQUIRE(response.status == 200);
      const Json answer = response.json();
      CHECK(answer["slow_turn_us"].number() == 0);
      CHECK(answer["slow"].size() == 0);
      for (const Json& turn : answer["turns"].elements()) {
        CHECK(turn["phases_ns"]["poll"].number() >= 0);
        CHECK(turn["work_ns"].number() >= turn["phases_ns"]["log"].number());
        requests += turn["requests"].number(), records += turn["records"].number();
      }
    }
    CHECK(requests == 1);
    CHECK(records >= 2);  // the grant and the reservation
    CHECK(server.admin().get("/admin/turns?shard=2").status == 400);
  }

  TEST_CASE("a turn above the threshold leaves a line that says where the time went") {
    Server server = server_with("1");
    server.buy({.user = "u1"});
    CHECK(server.admin().get("/admin/turns").json()["slow"].size() > 0);
    CHECK(servers::await([&] {
      const std::string lines = server.complaint();
      const size_t line = lines.find("shard 0 worked ");
      return line != std::string::npos && lines.find(" in one turn, until 20", line) < line + 40;
    }));
  }
}

}  // namespace
}  // namespace stampede::e2e
