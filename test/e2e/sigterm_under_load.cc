// SIGTERM at full load: the server finishes or refuses what it has read, ends with 0, and no
// acknowledged order is lost.
#include <doctest/doctest.h>
#include <signal.h>

#include <atomic>

#include "harness/random.h"
#include "harness/rush.h"
#include "harness/server.h"

namespace stampede::e2e {
namespace {

void stop_under_load(int shards, int signal_number) {
  INFO("seed " << seed());
  CAPTURE(shards);
  Server server({.catalog = catalog({{.stock = 100'000}}), .shards = shards});
  size_t stop_after = random_between(100, 2'000);
  auto asks = crowd(20'000);
  std::atomic<bool> is_told{false};  // once: a second signal would mean "at once"
  auto tell = [&](size_t answered) {
    if (answered >= stop_after && !is_told.exchange(true)) server.process().signal(signal_number);
  };
  auto outcomes =
      rush(server.address(), asks, {.connections = 8, .pipeline = 16, .on_progress = tell});
  CHECK(server.process().wait(kPatience) == 0);
  size_t acknowledged = 0;
  for (const Outcome& outcome : outcomes) {
    CHECK((outcome.status == 201 || outcome.status == 0 || outcome.status == 503));
    if (outcome.status == 503)
      CHECK((outcome.code == "shutting_down" || outcome.code == "try_again" ||
             outcome.code == "overloaded"));
    acknowledged += outcome.status == 201;
  }
  CHECK(acknowledged > 0);
  CHECK(acknowledged < asks.size());
  server.start();
  for (const Outcome& outcome : outcomes)
    if (outcome.status == 201)
      CHECK_MESSAGE(server.read(outcome.ask.user, outcome.order_id).status == 200,
                    "lost: " << outcome.order_id);
  server.check_books();
}

TEST_SUITE("e2e/sigterm_under_load") {
  TEST_CASE("SIGTERM on one shard") {
    stop_under_load(1, SIGTERM);
  }
  TEST_CASE("SIGTERM on two shards") {
    stop_under_load(2, SIGTERM);
  }
  TEST_CASE("SIGTERM on more shards than processors") {
    stop_under_load(5, SIGTERM);
  }
  TEST_CASE("SIGINT is a clean stop as well") {
    stop_under_load(2, SIGINT);
  }

  TEST_CASE("idle clients do not hold the stop up") {
    Server server({.catalog = catalog({{}}), .shards = 2});
    std::vector<Http> idle;
    for (int i = 0; i < 50; ++i) {
      idle.push_back(server.client());
      REQUIRE(idle.back().get("/v1/time").status == 200);
      if (i % 2 == 0) idle.back().send("POST /v1/orders HT");
    }
    CHECK(server.terminate() == 0);
  }

  TEST_CASE("one wish to stop that arrives as two signals is a clean stop") {
    Server server({.catalog = catalog({{}})});
    server.process().signal(SIGTERM);
    server.process().signal(SIGTERM);
    CHECK(server.process().wait(kPatience) == 0);
    server.start();
    server.check_books();
  }

  // Unread answers hold a stop up for seconds, unless the kernel takes them all: then there was nothing to insist on.
  std::optional<int> insist(Server & server) {
    std::string many;
    for (int i = 0; i < 1'000; ++i) many += request_text("GET", "/v1/items");
    std::vector<Http> deaf;
    for (int i = 0; i < 8; ++i) {
      deaf.push_back(server.client());
      deaf.back().shrink_receive_buffer();
      REQUIRE(deaf.back().connect());
      while (deaf.back().send_some(many, milliseconds{100}) == many.size()) {
      }
    }
    std::optional<int> code;
    while (!code) {
      server.process().signal(SIGTERM);
      code = server.process().wait(milliseconds{50});
    }
    return code;
  }

  TEST_CASE("a second signal ends a server that is stopping at once") {
    Server server({.catalog = catalog({{}})});
    std::optional<int> code;
    for (int tries = 0; tries < 5 && code != 1; ++tries) {
      code = insist(server);
      server.start();
      server.check_books();
    }
    CHECK(*code == 1);
  }
}

}  // namespace
}  // namespace stampede::e2e
