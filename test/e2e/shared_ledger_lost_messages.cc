// Between a node and Redis anything may get lost, at any moment and as often as it likes: what was
// executed is not executed again, what was not is made up for, and the stock is sold to the unit.
#include <doctest/doctest.h>

#include "harness/cluster.h"
#include "harness/random.h"

namespace stampede::e2e {
namespace {

using servers::Direction;
using servers::Relay;
using servers::Times;

constexpr int64_t kStock = 600;

// Sells out while `disturb` is called with a random relay at random moments.
void sell_out_disturbed(const std::function<void(Relay&)>& disturb) {
  INFO("seed " << seed());
  Cluster cluster({.catalog = catalog({{.stock = kStock}}), .flags = {{"--lease-max", "8"}}});
  BackgroundRush rush(cluster, crowd(kStock + 40));
  while (!rush.is_over()) {
    disturb(cluster.relay(random_between(0, cluster.size() - 1)));
    const size_t next = rush.answers() + random_between(1, 60);
    rush.await_answers(next);
  }
  cluster.each_relay([](Relay& relay) {
    relay.swallow(Direction::to_client, Times::never);
    relay.swallow(Direction::to_server, Times::never);
  });
  cluster.check_sold_out(rush.finish(), kStock);
}

TEST_SUITE("e2e/shared_ledger_lost_messages") {
  TEST_CASE("three nodes sell one stock to the last unit and not one more") {
    Cluster cluster({.nodes = 3, .catalog = catalog({{.stock = 2'000}})});
    cluster.check_sold_out(cluster.rush(crowd(2'100)), 2'000);
  }

  TEST_CASE(
      "a reply that is lost after its request was executed costs no unit and gives none away") {
    for (int round = 0; round < rounds(2); ++round)
      sell_out_disturbed([](Relay& relay) { relay.swallow(Direction::to_client, Times::once); });
  }

  TEST_CASE("a request that is lost is made up for") {
    sell_out_disturbed([](Relay& relay) { relay.swallow(Direction::to_server, Times::once); });
  }

  TEST_CASE("connections that break again and again cost no unit") {
    sell_out_disturbed([](Relay& relay) { relay.cut(); });
  }
}

}  // namespace
}  // namespace stampede::e2e
