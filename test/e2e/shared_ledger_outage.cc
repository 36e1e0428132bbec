// While Redis cannot be reached, what is leased sells on, buyers are asked to come again and never told that it is sold out,
// and whatever needs no new units goes on as ever.
#include <doctest/doctest.h>

#include <filesystem>

#include "harness/cluster.h"
#include "harness/random.h"

namespace stampede::e2e {
namespace {

using servers::Direction;
using servers::RelayCounts;

Response ask_once(Server& server, const std::string& user) {
  return server.http().post("/v1/orders", order_body({.user = user}), {{"X-User-Id", user}});
}

// The ledger is said to be gone as soon as the timeout has passed; before, that it is not decided yet.
void check_unavailable(Server& server, const std::string& user) {
  Response response;
  CHECK(wait_until([&] {
    response = ask_once(server, user);
    CHECK(response.status == 503);
    return response.code() == "ledger_unavailable" || response.status != 503;
  }));
  CHECK(response.header("Retry-After") != "");
  CHECK(response.json()["retryable"].truth());
}

TEST_SUITE("e2e/shared_ledger_outage") {
  TEST_CASE("while Redis is stopped buyers hear ledger_unavailable and everything else goes on") {
    Cluster cluster({.catalog = catalog({{.stock = 40}})});
    const auto outcomes = cluster.rush(crowd(30));
    std::vector<std::string> orders[2];  // by node
    std::vector<std::string> users[2];
    for (const Outcome& outcome : outcomes) {
      const size_t home = cluster.home_of(outcome.ask.user, cluster.all());
      orders[home].push_back(outcome.order_id);
      users[home].push_back(outcome.ask.user);
    }
    cluster.redis().pause();
    const RelayCounts before = cluster.relay(0).counts();
    for (size_t i = 0; i < 2; ++i) {
      Server& node = cluster.node(i);
      check_unavailable(node, "late" + std::to_string(i));
      CHECK(node.pay(orders[i][0]).json()["state"].text() == "paid");
      CHECK(node.state_of(users[i][0], orders[i][0]) == "paid");
      CHECK(node.cancel(users[i][1], orders[i][1]).status == 200);
      // The cancelled unit is here, so it needs no ledger.
      CHECK(ask_once(node, "heir" + std::to_string(i)).status == 201);
      check_unavailable(node, "later" + std::to_string(i));
      CHECK(node.admin().get("/admin/status").status == 200);
    }
    // A stopped process takes connections and answers none: the node gives up one after the other.
    CHECK(cluster.relay(0).await_counts(
        [&](const RelayCounts& counts) { return counts.accepted >= before.accepted + 4; }));
    cluster.redis().resume();
    cluster.await_open();
    cluster.rush(crowd(30, "after"));
    CHECK(cluster.database().number("SELECT count(*) FROM orders WHERE state='cancelled'") == 2);
    CHECK(wait_until([&] { return cluster.sold_units() == 40; }));
    for (size_t i = 0; i < 2; ++i) CHECK(cluster.node(i).books().ok);
  }

  TEST_CASE("a stop does not sit out the time that a silent Redis is given") {
    // More than a test waits for a process to end.
    Cluster cluster({.nodes = 1, .catalog = catalog({{.stock = 40}}), .ledger_timeout_ms = 60'000});
    cluster.redis().pause();
    const RelayCounts before = cluster.relay(0).counts();
    CHECK(cluster.relay(0).await_counts([&](const RelayCounts& counts) {
      return counts.bytes_to_server > before.bytes_to_server;
    }));
    CHECK(cluster.node(0).terminate() == 0);
    cluster.redis().resume();
  }

  TEST_CASE("with Redis gone what is leased sells on and sold_out is not said") {
    INFO("seed " << seed());
    Cluster cluster({.catalog = catalog({{.stock = 3'000}})});
    BackgroundRush rush(cluster, crowd(3'200));
    rush.await_answers(random_between(200, 1'000));
    cluster.redis().kill();
    for (size_t i = 0; i < 2; ++i) {
      Server& node = cluster.node(i);
      for (int n = 0; n < 5; ++n) {
        const Response response = ask_once(node, "late" + std::to_string(n));
        CHECK_MESSAGE((response.status == 201 || response.status == 503),
                      response.status << " " << response.code());
      }
      check_unavailable(node, "last");
    }
    cluster.redis().restart();
    auto outcomes = rush.finish();
    cluster.await_open();
    CHECK(wait_until([&] { return cluster.sold_units() == 3'000; }));
    for (size_t i = 0; i < 2; ++i) CHECK(cluster.node(i).books().ok);
  }

  TEST_CASE("a node that is cut off from Redis takes payments while the others sell all the rest") {
    Cluster cluster({.catalog = catalog({{.stock = 200}}), .flags = {{"--lease-max", "1"}}});
    const std::string order = cluster.node(0).buy({.user = "early"});
    // What it had leased ahead has gone back, or nobody else could be sure that nothing is left.
    REQUIRE(wait_until([&] { return cluster.node(1).books().free == 199; }));
    // First the door, or a node that is quick comes back in between.
    cluster.relay(0).refuse();
    cluster.relay(0).cut();
    const auto outcomes = cluster.rush(crowd(250), {1});
    CHECK(tally(outcomes)["409 sold_out"] > 0);
    CHECK(cluster.node(0).pay(order).json()["state"].text() == "paid");
    check_unavailable(cluster.node(0), "late");
    cluster.relay(0).accept();
    cluster.await_open();
    CHECK(cluster.node(0).order({.user = "last"}).code() == "sold_out");
    CHECK(wait_until([&] { return cluster.sold_units() == 200; }));
  }

  TEST_CASE("connections that fail again and again are closed and the next is not hurried") {
    Cluster cluster({.nodes = 1, .catalog = catalog({{.stock = 20}})});
    const auto descriptors = [&] {
      const auto folder = "/proc/" + std::to_string(cluster.node(0).process().pid()) + "/fd";
      return std::distance(std::filesystem::directory_iterator(folder), {});
    };
    const auto before = descriptors();
    cluster.redis().kill();
    const uint64_t accepted = cluster.relay(0).counts().accepted;
    const auto began = std::chrono::steady_clock::now();
    CHECK(cluster.relay(0).await_counts(
        [&](const RelayCounts& counts) { return counts.accepted >= accepted + 150; }));
    // The shard's next attempt comes 50 ms after the last, the coordinator's 20 ms.
    CHECK(std::chrono::steady_clock::now() - began >= std::chrono::seconds{1});
    CHECK(descriptors() <= before + 2);
    cluster.redis().restart();
    CHECK(tally(cluster.rush(crowd(30)))["201"] == 20);
  }

  TEST_CASE("replies that take longer than the timeout are asked for again and counted once") {
    Cluster cluster({.catalog = catalog({{.stock = 300}}), .ledger_timeout_ms = 50});
    BackgroundRush rush(cluster, crowd(340));
    rush.await_answers(50);
    cluster.each_relay(
        [](servers::Relay& relay) { relay.delay(Direction::to_client, milliseconds{80}); });
    rush.await_answers(rush.answers() + 50);
    cluster.each_relay(
        [](servers::Relay& relay) { relay.delay(Direction::to_client, milliseconds{0}); });
    cluster.check_sold_out(rush.finish(), 300);
  }
}

}  // namespace
}  // namespace stampede::e2e
