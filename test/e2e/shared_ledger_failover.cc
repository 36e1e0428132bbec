// A replica takes over that has not heard of the newest grants, and the old master may live on where some nodes still reach
// it: nothing is granted by both.
#include <doctest/doctest.h>

#include "../servers/redis_sentinel.h"
#include "harness/cluster.h"
#include "harness/random.h"

namespace stampede::e2e {
namespace {

using servers::Data;
using servers::RedisSentinel;
using servers::RedisServer;
using servers::Relay;

TEST_SUITE("e2e/shared_ledger_failover") {
  TEST_CASE(
      "a replica that lags behind by any number of grants takes over without a unit too many") {
    INFO("seed " << seed());
    constexpr size_t kBuyers = 60;
    const int failovers = rounds(100);
    const int64_t stock = kBuyers * failovers - 20;
    Cluster cluster({.catalog = catalog({{.stock = stock}}), .flags = {{"--lease-max", "4"}}});
    RedisServer second;
    RedisServer* master = &cluster.redis();
    RedisServer* replica = &second;
    std::vector<Outcome> outcomes;
    for (int round = 0; round < failovers; ++round) {
      CAPTURE(round);
      Relay replication(master->port());
      replica->replicate(replication.port());
      replica->await_in_sync(*master);
      BackgroundRush rush(cluster, crowd(kBuyers, "r" + std::to_string(round) + "-"));
      rush.await_answers(random_between(0, kBuyers / 2));
      replication.pause();
      rush.await_answers(rush.answers() + random_between(0, kBuyers / 2));
      master->kill();
      replica->promote();
      cluster.redirect(replica->port());
      cluster.each_relay([](Relay& relay) { relay.cut(); });
      append(outcomes, rush.finish());
      master->restart(Data::wiped);
      std::swap(master, replica);
    }
    cluster.check_sold_out(outcomes, stock);
  }

  TEST_CASE("two masters of which each has half of the nodes grant no unit twice") {
    Cluster cluster({.catalog = catalog({{.stock = 400}}), .flags = {{"--lease-max", "4"}}});
    Relay replication(cluster.redis().port());
    RedisServer second({.replica_of = replication.port()});
    second.await_in_sync(cluster.redis());
    auto outcomes = cluster.rush(crowd(50, "before"));
    replication.pause();
    append(outcomes, cluster.rush(crowd(50, "unheard")));
    second.promote();
    cluster.relay(1).redirect(second.port());
    cluster.relay(1).cut();
    // The new master has not heard from node 0, which sells on at the old one.
    const auto waits_for_0 = [&] {
      const Json missing = cluster.ledger_of(1)["missing"];
      return missing.size() == 1 && missing.at(0).number() == 0;
    };
    CHECK(wait_until(waits_for_0));
    const auto sold_at_old = cluster.rush(crowd(100, "old"), {0});
    CHECK(tally(sold_at_old)["201"] == 100);
    append(outcomes, cluster.buy_until_refused(1, "new"));
    append(outcomes, sold_at_old);
    cluster.redirect(second.port());
    cluster.relay(0).cut();
    append(outcomes, cluster.rush(crowd(300, "after")));
    cluster.check_sold_out(outcomes, 400);
  }

  TEST_CASE("a master that becomes a replica and a master again is not believed what it had") {
    Cluster cluster({.catalog = catalog({{.stock = 100}}), .flags = {{"--lease-max", "4"}}});
    const int64_t before = cluster.await_open();
    RedisServer other;
    BackgroundRush rush(cluster, crowd(140));
    rush.await_answers(20);
    cluster.redis().replicate(other.port());
    cluster.redis().promote();
    cluster.check_sold_out(rush.finish(), 100);
    CHECK(cluster.await_open() > before);
  }

  TEST_CASE("Sentinel promotes a replica in the middle of a rush and the nodes follow") {
    INFO("seed " << seed());
    RedisServer master;
    RedisServer replica({.replica_of = master.port()});
    RedisSentinel sentinel(master);
    sentinel.await_replicas(1);
    Cluster cluster({.catalog = catalog({{.stock = 600}}),
                     .ledger = "redis+sentinel://127.0.0.1:" + std::to_string(sentinel.port()) +
                               "/" + sentinel.master_name(),
                     .flags = {{"--lease-max", "8"}}});
    BackgroundRush rush(cluster, crowd(640));
    rush.await_answers(random_between(50, 500));
    master.kill();
    sentinel.await_master(replica);
    cluster.check_sold_out(rush.finish(), 600);
    CHECK(cluster.ledger_of(0)["server"].text() == replica.address());
  }
}

}  // namespace
}  // namespace stampede::e2e
