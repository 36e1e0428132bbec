// Redis may lose its memory, all of it or the newest part, at any moment of a rush: what it said before is not said again,
// what the nodes know is told to it anew, and the stock is sold to the last unit.
#include <doctest/doctest.h>

#include "harness/cluster.h"
#include "harness/random.h"

namespace stampede::e2e {
namespace {

using servers::AppendOnly;
using servers::Data;
using servers::RedisServer;

constexpr int64_t kStock = 600;

// Sells out while `disturb` happens to Redis, a few times and at random moments.
void sell_out(AppendOnly append_only, int times, const std::function<void(RedisServer&)>& disturb) {
  INFO("seed " << seed());
  Cluster cluster({.catalog = catalog({{.stock = kStock}}),
                   .redis = {.append_only = append_only},
                   .flags = {{"--lease-max", "8"}}});
  BackgroundRush rush(cluster, crowd(kStock + 40));
  for (int time = 0; time < times; ++time) {
    rush.await_answers(rush.answers() + random_between(1, 2 * kStock / times));
    disturb(cluster.redis());
  }
  cluster.check_sold_out(rush.finish(), kStock);
}

TEST_SUITE("e2e/shared_ledger_redis_forgets") {
  TEST_CASE("a Redis that is killed and has every command in its file loses nothing") {
    sell_out(AppendOnly::always, rounds(2), [](RedisServer& redis) { redis.restart(); });
  }
  TEST_CASE("a Redis that is killed and comes back with what it had a second ago loses nothing") {
    sell_out(AppendOnly::every_second, rounds(2), [](RedisServer& redis) { redis.restart(); });
  }
  TEST_CASE("a Redis that is killed and comes back empty loses nothing") {
    sell_out(AppendOnly::off, rounds(2), [](RedisServer& redis) { redis.restart(Data::wiped); });
  }

  // As a disk's snapshot would be: older than what was acknowledged, and nothing in it says so.
  TEST_CASE("a Redis that comes back with an old file of commands grants nothing twice") {
    Cluster cluster(
        {.catalog = catalog({{.stock = 50}}), .redis = {.append_only = AppendOnly::always}});
    RedisServer& redis = cluster.redis();
    auto outcomes = cluster.rush(crowd(20, "early"));
    const std::string data = redis.data_directory(), copy = data + ".old";
    REQUIRE(run({"cp", "-a", data, copy}).exit_code == 0);
    append(outcomes, cluster.rush(crowd(20, "later")));
    redis.kill();
    REQUIRE(run({"rm", "-r", data}).exit_code == 0);
    REQUIRE(run({"mv", copy, data}).exit_code == 0);
    redis.restart();
    append(outcomes, cluster.rush(crowd(20, "last")));
    cluster.check_sold_out(outcomes, 50);
  }

  TEST_CASE("FLUSHALL in the middle of a rush loses nothing and gives nothing away") {
    sell_out(AppendOnly::off, rounds(4), [](RedisServer& redis) { redis.command({"FLUSHALL"}); });
  }
  TEST_CASE("a Redis whose scripts are flushed learns them again") {
    sell_out(AppendOnly::off, rounds(4), [](RedisServer& redis) {
      redis.command({"SCRIPT", "FLUSH"});
    });
  }
  TEST_CASE("the counters of an item that are deleted by hand come back from the order logs") {
    INFO("seed " << seed());
    Cluster cluster({.catalog = catalog({{.stock = kStock}}), .flags = {{"--lease-max", "8"}}});
    BackgroundRush rush(cluster, crowd(kStock + 40));
    rush.await_answers(random_between(1, kStock));
    RedisServer& redis = cluster.redis();
    for (const auto& key : redis.command({"KEYS", "stampede:*:i:*"}).elements)
      redis.command({"DEL", key.text});
    std::vector<Outcome> outcomes = rush.finish();
    append(outcomes, cluster.rush(crowd(kStock, "rest")));
    cluster.check_sold_out(outcomes, kStock);
  }

  TEST_CASE("an audit notices counters that are deleted when all is sold, and they come back") {
    Cluster cluster({.catalog = catalog({{.stock = kStock}})});
    const std::vector<Outcome> outcomes = cluster.rush(crowd(kStock + 40));
    cluster.check_sold_out(outcomes, kStock);
    RedisServer& redis = cluster.redis();
    for (const auto& key : redis.command({"KEYS", "stampede:*:i:*"}).elements)
      redis.command({"DEL", key.text});
    cluster.check_sold_out(outcomes, kStock);
    CHECK_FALSE(redis.command({"KEYS", "stampede:*:i:*"}).elements.empty());
  }

  TEST_CASE("rebuild in the middle of a rush changes no unit") {
    Cluster cluster({.catalog = catalog({{.stock = kStock}})});
    const int64_t before = cluster.await_open();
    BackgroundRush rush(cluster, crowd(kStock + 40));
    rush.await_answers(kStock / 4);
    const Finished rebuilt = cluster.ledger("rebuild");
    CAPTURE(rebuilt.err);
    CHECK(rebuilt.exit_code == 0);
    CHECK(cluster.await_open() > before);
    cluster.check_sold_out(rush.finish(), kStock);
  }

  TEST_CASE("PostgreSQL is killed while Redis fails too and both come back") {
    INFO("seed " << seed());
    Cluster cluster({.catalog = catalog({{.stock = kStock}}), .flags = {{"--lease-max", "8"}}});
    BackgroundRush rush(cluster, crowd(kStock + 40));
    rush.await_answers(random_between(1, kStock / 2));
    cluster.postgres().kill();
    rush.await_answers(rush.answers() + random_between(1, kStock / 4));
    cluster.redis().restart(Data::wiped);
    // No epoch can be begun: its number would have to come from the database.
    CHECK(wait_until([&] { return cluster.ledger_of(0)["problem"].text() != ""; }));
    CHECK_FALSE(cluster.is_open(0));
    cluster.postgres().restart();
    cluster.check_sold_out(rush.finish(), kStock);
  }
}

}  // namespace
}  // namespace stampede::e2e
