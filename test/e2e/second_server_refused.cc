// One data directory has one server: the second one ends at once with 73 and touches nothing.
#include <doctest/doctest.h>

#include "harness/server.h"

namespace stampede::e2e {
namespace {

TEST_SUITE("e2e/second_server_refused") {
  TEST_CASE("a second server on the directory exits with 73 and the first goes on") {
    Server server({.catalog = catalog({{}})});
    std::string id = server.buy({.user = "u1"});
    Finished second = run(server.command());
    CHECK(second.exit_code == 73);
    CHECK(second.err.find(server.data()) != std::string::npos);
    CHECK(second.out.find("ready") == std::string::npos);
    CHECK(server.state_of("u1", id) == "reserved");
    server.buy({.user = "u2"});
  }

  TEST_CASE("the lock goes with its server even after kill -9") {
    Server server({.catalog = catalog({{}})});
    for (int i = 0; i < 3; ++i) {
      server.kill9();
      server.start();
    }
    server.buy({.user = "u1"});
  }

  TEST_CASE("tools that change a directory are refused while a server has it") {
    Server server({.catalog = catalog({{}})});
    server.buy({.user = "u1"});
    Finished drain = run_stampede(
        {"drain", "--data", server.data(), "--db", "sqlite:" + server.scratch().path("copy.db")});
    CHECK(drain.exit_code == 73);
  }
}

}  // namespace
}  // namespace stampede::e2e
