// A Redis Cluster as the ledger: its masters share the items, and whatever becomes of one master or of one slot, every item
// sells exactly its stock.
#include "../servers/redis_cluster.h"
#include "cluster/scripts.h"
#include "harness/cluster.h"
#include "harness/random.h"
#include "ledger/messages.h"

#include <doctest/doctest.h>  // last: its CHECK is the one that tests mean

namespace stampede::e2e {
namespace {

using servers::RedisCluster;

constexpr size_t kItems = 24;
constexpr int64_t kStock = 12;

std::string item_name(size_t index) {
  return "item" + std::to_string(index);
}

std::string catalog_of_items() {
  std::vector<ItemSpec> items;
  for (size_t i = 0; i < kItems; ++i) items.push_back({.code = item_name(i), .stock = kStock});
  return catalog(items);
}

struct Shop {
  Shop() = default;

  int slot_of(const std::string& item) {
    const uint32_t group = group_of(item, cluster::kGroupsMax);
    return masters.slot(std::string(cluster::state_key(group)));
  }
  size_t owner_of(const std::string& item) { return masters.owner(slot_of(item)); }
  // So many users for every item, one item after the other and round again.
  static std::vector<Ask> crowd_for_all(int64_t users, const std::string& prefix = "u") {
    std::vector<Ask> asks;
    for (int64_t user = 0; user < users; ++user)
      for (size_t item = 0; item < kItems; ++item)
        asks.push_back({.user = prefix + std::to_string(user) + "-" + std::to_string(item),
                        .item = item_name(item)});
    return asks;
  }
  void check_all_sold(const std::vector<Outcome>& outcomes) {
    for (size_t i = 0; i < kItems; ++i) {
      CAPTURE(item_name(i));
      std::vector<Outcome> of_item;
      for (const Outcome& outcome : outcomes)
        if (outcome.ask.item == item_name(i)) of_item.push_back(outcome);
      cluster.check(of_item, kStock, cluster.all(), item_name(i));
      CHECK(cluster.sold_units(item_name(i)) == kStock);
    }
  }

  RedisCluster masters{3, {.more = {"cluster-require-full-coverage no"}}};
  Cluster cluster{
      {.catalog = catalog_of_items(),
       .ledger = "redis+cluster://" + masters.node(0).address() + "," + masters.node(1).address(),
       .flags = {{"--lease-max", "4"}}}};
};

TEST_SUITE("e2e/shared_ledger_redis_cluster") {
  TEST_CASE("items are spread over the masters and the tools see all of them") {
    Shop shop;
    const auto outcomes = shop.cluster.rush(Shop::crowd_for_all(kStock + 3));
    shop.check_all_sold(outcomes);
    for (size_t master = 0; master < shop.masters.size(); ++master)
      CHECK(shop.masters.node(master).command({"DBSIZE"}).integer > 4);
    const Finished status = shop.cluster.ledger("status");
    CAPTURE(status.out);
    CHECK(status.exit_code == 0);
    for (size_t i = 0; i < kItems; ++i)
      CHECK(status.out.find(item_name(i) + ":") != std::string::npos);
    const Finished rebuilt = shop.cluster.ledger("rebuild");
    CAPTURE(rebuilt.out);
    CHECK(rebuilt.exit_code == 0);
    shop.check_all_sold(outcomes);
  }

  TEST_CASE("slots that move in the rush take their items along") {
    INFO("seed " << seed());
    for (int round = 0; round < rounds(1); ++round) {
      Shop shop;
      BackgroundRush rush(shop.cluster, Shop::crowd_for_all(kStock + 3));
      for (int moves = 0; moves < 3; ++moves) {
        rush.await_answers(rush.answers() + random_between(1, 60));
        const std::string item = item_name(random_between(0, kItems - 1));
        const size_t to = (shop.owner_of(item) + random_between(1, 2)) % shop.masters.size();
        shop.masters.move(shop.slot_of(item), to);
      }
      shop.check_all_sold(rush.finish());
    }
  }

  TEST_CASE("a slot whose move has stopped half way is served where its keys are") {
    Shop shop;
    const std::string item = item_name(5);
    const size_t to = (shop.owner_of(item) + 1) % shop.masters.size();
    BackgroundRush rush(shop.cluster, Shop::crowd_for_all(kStock + 3));
    rush.await_answers(50);
    shop.masters.begin_move(shop.slot_of(item), to);
    shop.masters.migrate_keys(shop.slot_of(item), to);
    const auto outcomes = rush.finish();
    shop.check_all_sold(outcomes);
    shop.masters.finish_move(shop.slot_of(item), to);
    shop.check_all_sold(outcomes);
  }

  TEST_CASE("a master that dies stops its own items alone and comes back empty") {
    Shop shop;
    const size_t dead = shop.owner_of(item_name(0));
    shop.masters.node(dead).kill();
    std::vector<Outcome> outcomes;
    for (size_t i = 0; i < kItems; ++i) {
      if (shop.owner_of(item_name(i)) == dead) continue;
      const auto sold =
          shop.cluster.rush(crowd(kStock + 2, item_name(i) + "-", {.item = item_name(i)}));
      CHECK(tally(sold)["201"] == kStock);
      outcomes.insert(outcomes.end(), sold.begin(), sold.end());
    }
    const auto hears_unavailable = [&] {
      return shop.cluster.node(0).order({.user = "unlucky", .item = item_name(0)}).code() ==
             "ledger_unavailable";
    };
    CHECK(wait_until(hears_unavailable));
    CHECK(!shop.cluster.is_open(0));
    CHECK(shop.cluster.ledger_of(0)["problem"].text().find("other masters are granted") !=
          std::string::npos);
    shop.masters.node(dead).restart();
    shop.masters.await_ok();
    shop.cluster.await_open();
    for (const Outcome& outcome : shop.cluster.rush(Shop::crowd_for_all(kStock + 3, "late")))
      outcomes.push_back(outcome);
    shop.check_all_sold(outcomes);
  }

  TEST_CASE("a master that was out of reach when an epoch began takes part in the next") {
    Shop shop;
    const size_t hung = shop.owner_of(item_name(0)), wiped = (hung + 1) % shop.masters.size();
    std::vector<Outcome> outcomes = shop.cluster.rush(Shop::crowd_for_all(2, "before"));
    shop.masters.node(hung).pause();
    shop.masters.node(wiped).command({"FLUSHALL"});
    for (size_t i = 0; i < kItems; ++i) {
      if (shop.owner_of(item_name(i)) != wiped) continue;
      for (const Outcome& outcome :
           shop.cluster.rush(crowd(3, item_name(i) + "-", {.item = item_name(i)})))
        outcomes.push_back(outcome);
    }
    CHECK(tally(outcomes)["201"] == outcomes.size());
    shop.masters.node(hung).resume();
    shop.cluster.await_open();
    for (const Outcome& outcome : shop.cluster.rush(Shop::crowd_for_all(kStock, "after")))
      outcomes.push_back(outcome);
    shop.check_all_sold(outcomes);
  }

  TEST_CASE("a replica takes over from its master in the rush") {
    INFO("seed " << seed());
    Shop shop;
    const size_t master = shop.owner_of(item_name(3));
    const size_t replica = shop.masters.add_replica(master);
    shop.cluster.await_open();  // a first replica makes a master another one
    BackgroundRush rush(shop.cluster, Shop::crowd_for_all(kStock + 3));
    rush.await_answers(random_between(1, 200));
    shop.masters.node(master).kill();
    shop.masters.fail_over(replica);
    shop.check_all_sold(rush.finish());
    const std::string servers = shop.cluster.ledger_of(0)["server"].text();
    CHECK(servers.find(shop.masters.node(replica).address()) != std::string::npos);
    CHECK(servers.find(shop.masters.node(master).address()) == std::string::npos);
  }

  TEST_CASE("a node that is gone is taken out of every group and its units are sold by the other") {
    Shop shop;
    std::vector<Outcome> outcomes =
        shop.cluster.rush(Shop::crowd_for_all(kStock / 2, "first"), {1});
    for (const Outcome& outcome : outcomes)
      if (outcome.status == 201) REQUIRE(shop.cluster.node(1).pay(outcome.order_id).status == 200);
    CHECK(shop.cluster.node(1).wait_drained());
    shop.cluster.node(1).kill9();
    const Finished reclaimed =
        shop.cluster.ledger("reclaim", {"--node", "1", "--data", shop.cluster.node(1).data()});
    CAPTURE(reclaimed.out);
    REQUIRE(reclaimed.exit_code == 0);
    for (const Outcome& outcome : shop.cluster.rush(Shop::crowd_for_all(kStock, "heir"), {0}))
      outcomes.push_back(outcome);
    CHECK(shop.cluster.node(0).wait_drained());
    for (size_t i = 0; i < kItems; ++i) CHECK(shop.cluster.sold_units(item_name(i)) == kStock);
    CHECK(tally(outcomes)["201"] == kItems * kStock);
  }
}

}  // namespace
}  // namespace stampede::e2e
