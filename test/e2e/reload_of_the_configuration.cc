// SIGHUP and POST /admin/reload read the configuration file again: its levers are taken up on every shard, all of it or nothing.
#include <doctest/doctest.h>

#include "harness/server.h"

namespace stampede::e2e {
namespace {

struct Shop {
  explicit Shop(const std::string& config) {
    write_file(file, config);
    server.emplace(ServerOptions{.catalog = catalog({{}}),
                                 .shards = 2,
                                 .flags = {{"--config", file}, {"--lease-max", "50"}}});
  }
  Json limits() { return server->admin().get("/admin/limits").json(); }
  Response reload(const std::string& config) {
    write_file(file, config);
    return server->admin().post("/admin/reload", "{}");
  }

  Scratch scratch;
  const std::string file = scratch.path("stampede.conf");
  std::optional<Server> server;
};

TEST_SUITE("e2e/reload_of_the_configuration") {
  TEST_CASE("levers of the file are taken up, and what needs a restart is named") {
    Shop shop("rate-user = 7/1s\nopen-per-user = 5\n");
    CHECK(shop.limits()["rate_user"].text() == "7/1s");
    const Response read = shop.reload(
        "rate-user = 9/1s\nopen-per-user = 5\nlease-max = 10\nretain = 1\nsandbox = yes\n");
    CAPTURE(read.body);
    CHECK(read.status == 200);
    CHECK(read.body.find("--rate-user") != std::string::npos);
    CHECK(read.body.find("\"needs_restart\":[\"--retain\",\"--sandbox\"]") != std::string::npos);
    CHECK(shop.limits()["rate_user"].text() == "9/1s");
    CHECK(shop.limits()["lease_max"].number() == 50);  // the command line wins
    CHECK(shop.server->metric("stampede_reloads_total{result=\"ok\"}") == 1);
    CHECK(shop.server->metric("stampede_last_reload_succeeded") == 1);
  }

  TEST_CASE("what operators have said stays when the file says what it said") {
    Shop shop("rate-user = 7/1s\nopen-per-user = 5\n");
    REQUIRE(shop.server->admin().put("/admin/limits", R"({"rate_user":"1/1s"})").status == 200);
    CHECK(shop.reload("rate-user = 7/1s\nopen-per-user = 6\n").status == 200);
    CHECK(shop.limits()["rate_user"].text() == "1/1s");
    CHECK(shop.limits()["open_per_user"].number() == 6);
  }

  TEST_CASE("a wrong file changes nothing and is counted") {
    Shop shop("rate-user = 7/1s\n");
    for (const std::string& wrong :
         {std::string("rate-user = 9/1s\nopen-per-user = many\n"),
          std::string("rate-user = 9/1s\nrate-adress = 1/1s\n"), std::string("rate-user = 9\n")}) {
      const Response refused = shop.reload(wrong);
      CAPTURE(refused.body);
      CHECK(refused.status == 409);
      CHECK(refused.code() == "not_reloaded");
      CHECK(refused.body.find(shop.file + ':') != std::string::npos);
      CHECK(shop.limits()["rate_user"].text() == "7/1s");
    }
    CHECK(shop.server->metric("stampede_reloads_total{result=\"failed\"}") == 3);
    CHECK(shop.server->metric("stampede_last_reload_succeeded") == 0);
    CHECK(shop.server->says("everything stays as it was"));
  }

  TEST_CASE("a signal does the same") {
    Shop shop("rate-user = 7/1s\n");
    write_file(shop.file, "rate-user = 8/1s\n");
    shop.server->process().signal(1);
    CHECK(wait_until([&] { return shop.limits()["rate_user"].text() == "8/1s"; }));
  }
}

}  // namespace
}  // namespace stampede::e2e
