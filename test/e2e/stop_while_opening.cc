// A stop that comes while a server still opens its data ends it at once with 0, and the next start goes on.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../servers/await.h"
#include "../servers/free_port.h"
#include "harness/server.h"

namespace stampede::e2e {
namespace {

TEST_SUITE("e2e/stop_while_opening") {
  TEST_CASE("a database that says nothing holds up no stop") {
    Server server({.catalog = catalog({{.stock = 10}})});
    const std::string id = server.buy({.user = "u1"});
    REQUIRE(server.wait_drained());
    REQUIRE(server.terminate() == 0);
    const uint16_t port = servers::free_port();
    const int listener = servers::listen_on(port);
    REQUIRE(listener >= 0);
    const auto flags = server.options().flags;
    server.options().flags.emplace_back(
        "--db", "postgres://nobody@127.0.0.1:" + std::to_string(port) + "/none");
    for (const int number : {SIGTERM, SIGINT}) {
      CAPTURE(number);
      Process opening(server.command(), server.stderr_path());
      // The server waits for the answer to its greeting now.
      int connection = -1;
      REQUIRE(
          servers::await([&] { return (connection = ::accept(listener, nullptr, nullptr)) >= 0; }));
      opening.signal(number);
      CHECK(opening.wait(kPatience) == 0);
      // Not after it had got through with opening.
      CHECK(server.says("stopped before anything was sold"));
      ::close(connection);
    }
    ::close(listener);
    server.options().flags = flags;
    server.start();
    CHECK(server.state_of("u1", id) == "reserved");
    server.check_books();
  }
}

}  // namespace
}  // namespace stampede::e2e
