// A process that the machine gives little to sells all the same, or ends with one line: few descriptors, closed standard
// descriptors, a Unix socket for all shards, signals of other tools.
#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <vector>

#include "harness/server.h"

namespace stampede::e2e {
namespace {

void limit_descriptors() {
  const rlimit few{.rlim_cur = 256, .rlim_max = 256};
  setrlimit(RLIMIT_NOFILE, &few);
}

size_t count_of(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++count;
  return count;
}

TEST_SUITE("e2e/process_limits") {
  TEST_CASE("idle clients take no descriptor that the order log or the operators need") {
    Server server(
        {.catalog = catalog({{.stock = 100'000}}), .shards = 2, .prepare = limit_descriptors});
    std::vector<Http> idle;
    for (int i = 0; i < 600; ++i) {
      idle.push_back(server.client());
      idle.back().connect();  // it may be reset before it knows that it is connected
    }
    // The longest idle one is closed for the buyer.
    Http buyer = server.client();
    REQUIRE(buyer.get("/v1/time").status == 200);
    // Enough orders for several segments of 2 MiB, while the table of connections stays full.
    for (int i = 0; i < 40; ++i) {
      std::string orders;
      for (int j = 0; j < 50; ++j)
        orders += order_request({.user = "u" + std::to_string(50 * i + j)});
      REQUIRE(buyer.send(orders));
      for (int j = 0; j < 50; ++j) CHECK(buyer.receive().status == 201);
    }
    CHECK(Http(server.admin_address()).get("/readyz").status == 200);
    CHECK(server.books().reserved == 2'000);
    CHECK(server.wait_drained());
    CHECK(server.says("146 connections are open"));
  }

  TEST_CASE("a number of connections is kept for newcomers too and one that cannot be is refused") {
    Server server({.catalog = catalog({{}}), .flags = {{"--connections", "20"}}});
    server.http().close();
    std::vector<Http> clients;
    int answered = 0;
    for (int i = 0; i < 30; ++i) {
      clients.push_back(server.client());
      answered += clients.back().get("/v1/time").status == 200;
    }
    CHECK(answered == 30);  // the longest idle ones were closed for the last ten
    CHECK(server.says("20 connections are open"));
    CHECK(count_of(server.said(), "20 connections are open") == 1);
    for (Http& client : clients) client.close();
    CHECK(wait_until([&] { return server.client().get("/v1/time").status == 200; }));
    server.terminate();
    server.options().flags = {{"--connections", "8000000"}};
    server.options().prepare = limit_descriptors;
    CHECK(server.start_and_fail() == 2);
    CHECK(server.says("--connections 8000000: the limit of descriptors (ulimit -n) is 256"));
  }

  TEST_CASE("operators may raise the connections to what descriptors permit and no further") {
    Server server({.catalog = catalog({{}}),
                   .flags = {{"--connections", "20"}},
                   .prepare = limit_descriptors});
    CHECK(server.admin().put("/admin/limits", R"({"connections":100})").status == 200);
    server.http().close();
    std::vector<Http> clients;
    for (int i = 0; i < 60; ++i) {
      clients.push_back(server.client());
      CHECK(clients.back().get("/v1/time").status == 200);
    }
    for (Http& client : clients) CHECK(client.get("/v1/time").status == 200);  // none was closed
    const std::string before = server.admin().get("/admin/limits").body;
    const Response refused = server.admin().put("/admin/limits", R"({"connections":1000})");
    CHECK(refused.status == 400);
    CHECK(refused.body.find("connections: expected at most 1") != std::string::npos);
    CHECK(server.admin().get("/admin/limits").body == before);
  }

  TEST_CASE("a server without standard output writes into no file of its own") {
    for (const int closed : {STDIN_FILENO, STDERR_FILENO}) {
      Server server({.catalog = catalog({{}}), .prepare = [closed] { ::close(closed); }});
      server.buy({.user = "u1"});
      server.process().signal(SIGHUP);
      CHECK(server.terminate() == 0);
      const std::string lock = read_file(server.data() + "/lock");
      CHECK(lock.find("stopping") == std::string::npos);
    }
  }

  TEST_CASE(
      "all shards take clients from one Unix socket and the line that says how to buy one works") {
    for (const int shards : {1, 3}) {
      Scratch scratch;
      const std::string path = scratch.path("public.sock");
      Server server(
          {.catalog = catalog({{}}), .shards = shards, .flags = {{"--listen", "unix:" + path}}});
      CHECK(server.says("--unix-socket '" + path + "' http://localhost/v1/orders"));
      for (int i = 0; i < 8; ++i) {
        CHECK(Http({.unix_path = path}).get("/v1/time").status == 200);
        server.buy({.user = "u" + std::to_string(i)});
      }
      CHECK(server.books().reserved == 8);
      CHECK(server.terminate() == 0);
      struct stat file;
      CHECK(::lstat(path.c_str(), &file) < 0);
    }
  }

  TEST_CASE("signals that other tools send end no server") {
    Server server({.catalog = catalog({{}})});
    for (const int number : {SIGUSR1, SIGPIPE, SIGXFSZ, SIGHUP}) {
      server.process().signal(number);
      CHECK(server.order({.user = "u" + std::to_string(number)}).status == 201);
    }
    CHECK(server.terminate() == 0);
  }
}

}  // namespace
}  // namespace stampede::e2e
