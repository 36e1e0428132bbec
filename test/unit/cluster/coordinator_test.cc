#include "cluster/coordinator.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <numeric>
#include <set>

#include "../../servers/redis_cluster.h"
#include "../../servers/relay.h"
#include "../base/death.h"
#include "cluster/inspection.h"
#include "cluster/redis_client.h"
#include "cluster/retirement.h"
#include "cluster/solo_registry.h"
#include "script_rig.h"
#include "shared_registry.h"

#include <doctest/doctest.h>  // last: its CHECK is the one that tests mean

namespace {

using namespace stampede;
using namespace stampede::cluster;
using namespace stampede::ledger;
using servers::await;
using Outcome = StockChange::Outcome;

// Stands still unless told, so that a wait of the protocol takes no time; or goes a step with each look.
class HandClock final : public Clock {
 public:
  Moment now() override { return {.wall_ns = 0, .boot_ns = now_ns_ += step_ns_}; }
  void pass(int64_t ns) { now_ns_ += ns; }
  void set_step(int64_t ns) { step_ns_ = ns; }

 private:
  std::atomic<int64_t> now_ns_{kSecond}, step_ns_{0};
};

// What one shard's order log holds: it outlives the process.
struct Log {
  uint64_t promised = 0;
  Lsn durable = 0;
  std::vector<StreamLine> lines;
};

// A node whose shards do as they are told: promise at once, or when told, or never.
class FakeNode {
 public:
  enum class Promises { at_once, never };

  FakeNode(uint32_t number, Registry& registry, uint32_t shards = 1, bool is_solo = false)
      : FakeNode(number, registry, "redis://" + servers::shared_redis().address(), 30'000, shards,
                 is_solo) {}
  FakeNode(uint32_t number, Registry& registry, const std::string& url, int64_t timeout_ms,
           uint32_t shards = 1, bool is_solo = false)
      : logs(shards), registry_(registry) {
    settings_ = {.node = number,
                 .uuid = "uuid" + std::to_string(number),
                 .shard_count = shards,
                 .timeout_ms = timeout_ms,
                 .url = *parse_redis_url(url),
                 .is_solo = is_solo};
    start_process();
  }

  // A new process on the same logs.
  void start_process() {
    coordinator_.reset();
    links_.clear();
    ++settings_.boot;
    for (const Log& log : logs) settings_.promised = std::max(settings_.promised, log.promised);
    std::vector<EpochLink*> links;
    for (size_t shard = 0; shard < logs.size(); ++shard) {
      links_.push_back(std::make_unique<EpochLink>([this, shard] { on_assignment(shard); },
                                                   [this] {
                                                     if (coordinator_) coordinator_->wake();
                                                   }));
      links.push_back(links_.back().get());
    }
    coordinator_ =
        std::make_unique<Coordinator>(settings_, real_redis(), registry_, links, clock, [] {});
  }

  // And the time until the next one passes.
  std::chrono::milliseconds step() {
    const std::chrono::milliseconds wait = coordinator_->step();
    clock.pass(wait.count() * kMillisecond);
    return wait;
  }

  Coordinator& coordinator() { return *coordinator_; }
  CoordinatorStatus status() const { return coordinator_->status(); }
  EpochLink& link(size_t shard) { return *links_[shard]; }
  Assignment assignment(size_t shard = 0) const { return links_[shard]->assignment(); }
  Caller caller() const {
    return {.node = std::to_string(settings_.node), .boot = std::to_string(settings_.boot)};
  }
  StockChange change() {
    const std::vector<StockChange> changes = coordinator_->take_changes();
    REQUIRE(changes.size() == 1);
    return changes.front();
  }
  StockChange restock(const std::string& op_id, int64_t delta) {
    coordinator_->restock("ticket", op_id, delta, 7);
    step();
    return change();
  }

  HandClock clock;
  std::vector<Log> logs;  // by shard
  std::atomic<Promises> promises{Promises::at_once};

 private:
  // On the coordinator's thread, in place of the shard's.
  void on_assignment(size_t shard) {
    const uint64_t epoch = links_[shard]->assignment().promise;
    Log& log = logs[shard];
    if (promises == Promises::never || epoch <= links_[shard]->promised()) return;
    log.promised = epoch;
    ++log.durable;
    links_[shard]->report({.epoch = epoch, .lsn = log.durable, .lines = log.lines});
  }

  Registry& registry_;
  CoordinatorSettings settings_;
  std::vector<std::unique_ptr<EpochLink>> links_;
  std::unique_ptr<Coordinator> coordinator_;
};

struct Fixture {
  Fixture() {
    const Supply ticket{.item = "ticket", .supplied = 100};
    REQUIRE(registry.add_items({&ticket, 1}));
  }
  // Each takes a step in turn until all are open in the same epoch.
  bool open(std::vector<FakeNode*> nodes) {
    return await([&] {
      for (FakeNode* node : nodes) node->step();
      return std::ranges::all_of(nodes, [&](FakeNode* node) {
        return node->status().is_open && node->status().epoch == nodes.front()->status().epoch;
      });
    });
  }
  std::string sync(const FakeNode& node, uint64_t number, const std::string& items,
                   Lsn durable = 0) {
    const Caller caller = node.caller();
    return rig.call(Script::sync, std::to_string(node.assignment().groups[0].open) + " " +
                                      caller.node + " " + caller.boot + " " + caller.stream() +
                                      " " + std::to_string(number) + " " + std::to_string(durable) +
                                      " " + items);
  }

  ScriptRig rig;
  SharedRegistry registry;
};

// The second node has lost its way to Redis, and has noted ten more tickets in the registry since.
struct RestockedApart : Fixture {
  RestockedApart() {
    REQUIRE(open({&first, &second}));
    relay.refuse();
    relay.cut();
    CHECK(second.restock("a", 10).outcome == Outcome::done);
  }

  servers::Relay relay{rig.server().port()};
  FakeNode first{0, registry};
  FakeNode second{1, registry, "redis://127.0.0.1:" + std::to_string(relay.port()), 1'000};
};

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != text.npos;
}

// Three masters that share the groups, each with an item.
struct ClusterFixture {
  ClusterFixture() {
    for (size_t i = 0; i < masters.size(); ++i) masters.node(i).command({"FLUSHALL"});
    for (uint32_t group = 0; group < kGroupsMax; ++group)
      owners_.push_back(masters.owner(masters.slot(std::string(state_key(group)))));
    for (size_t i = 0; items.size() < kGroupsMax; ++i)
      items.try_emplace(group_of("item" + std::to_string(i), kGroupsMax),
                        "item" + std::to_string(i));
    for (const auto& [group, item] : items) supply(item);
  }

  ~ClusterFixture() {
    for (size_t i = 0; i < masters.size(); ++i) {
      masters.node(i).resume();
      masters.node(i).command({"CONFIG", "SET", "maxmemory", "0"});
      masters.node(i).command({"CONFIG", "SET", "min-replicas-to-write", "0"});
    }
  }

  static servers::RedisCluster& shared_cluster() {
    static servers::RedisCluster cluster(3, {.more = {"cluster-require-full-coverage no"}});
    return cluster;
  }
  void supply(const std::string& item) {
    const Supply supply{.item = item, .supplied = 100};
    REQUIRE(registry.add_items({&supply, 1}));
  }
  std::string url() {
    return "redis+cluster://" + masters.node(0).address() + "," + masters.node(1).address();
  }
  size_t owner(uint32_t group) const { return owners_[group]; }
  std::vector<uint32_t> groups_of(size_t master) {
    std::vector<uint32_t> groups;
    for (uint32_t group = 0; group < kGroupsMax; ++group)
      if (owner(group) == master) groups.push_back(group);
    return groups;
  }
  static std::vector<uint32_t> both(std::vector<uint32_t> groups,
                                    const std::vector<uint32_t>& more) {
    groups.insert(groups.end(), more.begin(), more.end());
    return groups;
  }
  std::string field(uint32_t group, std::string_view rest, std::string_view name) {
    const std::string_view state = state_key(group);
    return masters.node(owner(group))
        .command({"HGET", std::string(state.substr(0, state.size() - 1)) + std::string(rest),
                  std::string(name)})
        .line();
  }
  std::string bump(uint32_t group, const EpochPlan& plan) {
    return masters.node(owner(group))
        .command({"EVAL", std::string(source_of(Script::bump)), "1", std::string(state_key(group)),
                  std::to_string(plan.epoch), text_of(plan.members), "16"})
        .line();
  }
  // In what epoch each group is open for the node's shards.
  static std::set<uint64_t> open_epochs(const FakeNode& node, const std::vector<uint32_t>& groups) {
    std::set<uint64_t> epochs;
    for (const uint32_t group : groups) epochs.insert(node.assignment().groups.at(group).open);
    return epochs;
  }
  static bool are_open(const FakeNode& node, const std::vector<uint32_t>& groups) {
    const std::set<uint64_t> epochs = open_epochs(node, groups);
    return epochs.size() == 1 && *epochs.begin() != 0;
  }
  static bool are_open_after(const FakeNode& node, const std::vector<uint32_t>& groups,
                             uint64_t epoch) {
    return are_open(node, groups) && *open_epochs(node, groups).begin() > epoch;
  }
  template <typename Ready>
  static bool step_until(std::vector<FakeNode*> nodes, Ready is_ready) {
    return await([&] {
      for (FakeNode* node : nodes) {
        node->step();
        node->clock.pass(kSecond / 20);
      }
      return is_ready();
    });
  }
  static bool open(std::vector<FakeNode*> nodes) {
    return step_until(nodes, [&] {
      return std::ranges::all_of(nodes, [&](FakeNode* node) {
        return node->status().is_open && node->status().epoch == nodes.front()->status().epoch;
      });
    });
  }

  servers::RedisCluster& masters = shared_cluster();
  SharedRegistry registry;
  std::map<uint32_t, std::string> items;  // one of each group

 private:
  std::vector<size_t> owners_;  // by group
};

}  // namespace

TEST_SUITE_BEGIN("cluster/coordinator");

TEST_CASE_FIXTURE(Fixture, "the first node begins the first epoch and units can be had in it") {
  FakeNode node(3, registry, 2);
  REQUIRE(open({&node}));
  const CoordinatorStatus status = node.status();
  CHECK(status.epoch == ((1 << 16) | 3));
  CHECK(status.epochs_begun == 1);
  CHECK(status.epochs_joined == 1);
  CHECK(status.problem == "");
  CHECK(status.server == rig.server().address());
  for (size_t shard : {0, 1}) {
    CHECK(node.assignment(shard).groups[0].open == status.epoch);
    CHECK(node.assignment(shard).promise == status.epoch);
    CHECK(node.assignment(shard).groups[0].last_number == 0);
    CHECK(node.assignment(shard).stream_count == 2);
    CHECK(node.assignment(shard).groups[0].server.address.port == rig.server().port());
  }
  CHECK(sync(node, 1, "ticket 0 0 0 10") == "OK, 1, 10, 0, 90, 0");
}

TEST_CASE_FIXTURE(Fixture, "a restarted node goes on in the same epoch with the next number") {
  FakeNode node(0, registry);
  REQUIRE(open({&node}));
  const uint64_t epoch = node.status().epoch;
  for (int number = 1; number <= 3; ++number)
    sync(node, number, "ticket 0 0 0 1", node.logs[0].durable);
  node.start_process();
  REQUIRE(open({&node}));
  CHECK(node.status().epoch == epoch);
  CHECK(node.status().epochs_begun == 0);
  CHECK(node.assignment().groups[0].last_number == 3);
  CHECK(rig.field("m", "boot:0") == "2");
  CHECK(contains(sync(node, 4, "ticket 3 0 0 1"), "OK, 4, 4, 0"));
}

TEST_CASE_FIXTURE(Fixture, "after FLUSHALL a new epoch holds what the logs say") {
  FakeNode node(0, registry);
  REQUIRE(open({&node}));
  const uint64_t epoch = node.status().epoch;
  sync(node, 1, "ticket 0 0 0 60");
  node.logs[0].lines = {{.item = "ticket", .accepted = 40, .returned = 5, .pool = 10}};
  rig.server().command({"FLUSHALL"});
  node.link(0).complain(0, false);
  REQUIRE(await([&] {
    node.step();
    return node.status().epoch > epoch && node.status().is_open;
  }));
  CHECK(node.assignment().groups[0].last_number == 0);
  CHECK(sync(node, 1, "ticket 40 5 10 0") == "OK, 1, 40, 5, 65, 0");
}

TEST_CASE_FIXTURE(Fixture,
                  "after a restart of Redis with its data a new epoch begins all the same") {
  FakeNode node(0, registry);
  REQUIRE(open({&node}));
  const uint64_t epoch = node.status().epoch;
  sync(node, 1, "ticket 0 0 0 60");
  rig.server().restart();
  REQUIRE(rig.field("m", "E") == std::to_string(epoch));
  const int64_t began_ns = node.clock.now().boot_ns;
  REQUIRE(await([&] {
    node.step();
    return node.status().epoch > epoch && node.status().is_open;
  }));
  CHECK(node.clock.now().boot_ns - began_ns <
        2 * kSecond);  // as if nobody filled it, it would be 3
  CHECK(sync(node, 1, "ticket 0 0 0 0") == "OK, 1, 0, 0, 100, 0");
}

TEST_CASE_FIXTURE(
    Fixture, "an epoch that deals items out in another way is not joined and not pushed aside") {
  FakeNode first(0, registry);
  REQUIRE(open({&first}));
  rig.server().command({"HSET", rig.key("m"), "groups", "16"});
  const uint64_t epoch = first.status().epoch;
  FakeNode second(1, registry);
  second.step();
  CHECK(contains(second.status().problem, "deals items out to 16 groups"));
  CHECK(rig.field("m", "E") == std::to_string(epoch));
  CHECK(rig.field("m", "mem") == "0");
}

TEST_CASE_FIXTURE(Fixture, "a node that was taken out brings no new units to Redis") {
  FakeNode node(0, registry);
  REQUIRE(open({&node}));
  const uint64_t epoch = node.status().epoch;
  CHECK(*is_in_use(registry, epoch));
  CHECK(!*is_in_use(registry, epoch - 1));
  REQUIRE(registry.deactivate(0, epoch, {}));
  CHECK(!*is_in_use(registry, epoch));
  CHECK(node.restock("op", 5).outcome == Outcome::done);
  node.step();
  CHECK(sync(node, 1, "ticket 0 0 0 0") == "OK, 1, 0, 0, 100, 0");
}

TEST_CASE_FIXTURE(Fixture,
                  "a member that was shut out of an epoch and not taken out begins the next") {
  FakeNode first(0, registry), second(1, registry);
  REQUIRE(open({&first, &second}));
  const uint64_t epoch = first.status().epoch;
  REQUIRE(rig.call(Script::fence, std::to_string(epoch) + " 1").starts_with("OK"));
  REQUIRE(await([&] {
    second.step();
    return second.assignment().promise > epoch;
  }));
  REQUIRE(open({&first, &second}));
  CHECK(sync(second, 1, "ticket 0 0 0 1") == "OK, 1, 1, 0, 99, 0");
}

TEST_CASE_FIXTURE(Fixture, "a new member begins an epoch that the others join") {
  FakeNode first(0, registry), second(1, registry);
  REQUIRE(open({&first}));
  const uint64_t epoch = first.status().epoch;
  first.logs[0].lines = {{.item = "ticket", .accepted = 30, .returned = 0, .pool = 20}};
  REQUIRE(open({&first, &second}));
  CHECK(first.status().epoch > epoch);
  CHECK(rig.field("m", "mem") == "0,1");
  CHECK(second.assignment().stream_count == 2);
  CHECK(sync(second, 1, "ticket 0 0 0 0") == "OK, 1, 0, 0, 70, 20");
}

TEST_CASE_FIXTURE(Fixture,
                  "a member that is missing is waited for and named until it is taken out") {
  FakeNode first(0, registry), second(1, registry);
  REQUIRE(open({&first, &second}));
  const uint64_t epoch = first.status().epoch;
  rig.server().command({"FLUSHALL"});
  REQUIRE(await([&] {
    first.step();
    first.clock.pass(kSecond / 10);
    return !first.status().missing.empty();
  }));
  CHECK(!first.status().is_open);
  CHECK(first.status().missing == std::vector<uint32_t>{1});
  CHECK(contains(first.status().problem, "waits for node 1: start it, or take it out"));
  CHECK(first.step() >= std::chrono::milliseconds(20));  // it may take hours
  const FrozenCount count{
      .node = 1, .stream = "1.1.0", .item = "ticket", .accepted = 25, .returned = 5};
  REQUIRE(registry.deactivate(1, epoch, {&count, 1}));
  REQUIRE(await([&] {
    first.step();
    first.clock.pass(kSecond / 10);
    return first.status().is_open;
  }));
  CHECK(first.status().missing.empty());
  CHECK(rig.field("m", "mem") == "0");
  CHECK(sync(first, 1, "ticket 0 0 0 0") == "OK, 1, 0, 0, 80, 0");
  // And it may come back.
  second.logs[0].lines = {{.item = "ticket", .accepted = 25, .returned = 15, .pool = 0}};
  REQUIRE(open({&first, &second}));
  CHECK(sync(first, 1, "ticket 0 0 0 0") == "OK, 1, 0, 0, 90, 0");
}

TEST_CASE_FIXTURE(Fixture, "a node does not promise an epoch that it is no member of") {
  const uint64_t of_another = 5 << 16;
  REQUIRE(rig.call(Script::bump, std::to_string(of_another) + " 0 1").starts_with("OK"));
  FakeNode node(1, registry);
  REQUIRE(await([&] {
    node.step();
    CHECK(node.assignment().promise != of_another);
    return node.status().is_open;
  }));
  CHECK(node.status().epoch > of_another);
  CHECK(rig.field("m", "mem") == "1");
}

TEST_CASE_FIXTURE(Fixture, "an epoch whose proposer has died before it filled it is begun again") {
  FakeNode first(0, registry), second(1, registry);
  REQUIRE(open({&first, &second}));
  rig.server().command({"FLUSHALL"});
  const Result<EpochPlan> plan = registry.begin_epoch(1, first.status().epoch);
  REQUIRE(plan);
  REQUIRE(rig.call(Script::bump, std::to_string(plan->epoch) + " 0,1 1").starts_with("OK"));
  REQUIRE(await([&] {
    for (FakeNode* node : {&first, &second}) {
      node->step();
      node->clock.pass(kSecond / 10);
    }
    return first.status().is_open && first.status().epoch > plan->epoch;
  }));
  CHECK(sync(first, 1, "ticket 0 0 0 0") == "OK, 1, 0, 0, 100, 0");
}

TEST_CASE_FIXTURE(Fixture, "two nodes that begin at once end in one epoch") {
  for (int round = 0; round < 5; ++round) {
    CAPTURE(round);
    FakeNode first(0, registry), second(1, registry);
    if (round > 0) {
      first.start_process();
      second.start_process();
    }
    rig.server().command({"FLUSHALL"});
    first.coordinator().start();
    second.coordinator().start();
    CHECK(await([&] {
      first.clock.pass(kMillisecond);
      second.clock.pass(kMillisecond);
      return first.status().is_open && second.status().is_open &&
             first.status().epoch == second.status().epoch;
    }));
    first.coordinator().stop();
    second.coordinator().stop();
    CHECK(rig.field("m", "st") == "O");
  }
}

TEST_CASE_FIXTURE(Fixture, "two thousand items come in chunks and all are there") {
  std::vector<Supply> items;
  FakeNode node(0, registry, 2);
  for (int i = 0; i < 2'000; ++i) {
    const std::string name = "item" + std::to_string(i);
    items.push_back({.item = name, .supplied = 50});
    node.logs[i % 2].lines.push_back({.item = name, .accepted = 9, .returned = 2, .pool = 3});
  }
  REQUIRE(registry.add_items(items));
  REQUIRE(open({&node}));
  const std::string epoch = std::to_string(node.status().epoch);
  CHECK(rig.server().command({"SCARD", rig.key("k:" + epoch)}).integer == 2'001);
  for (int i = 0; i < 2'000; ++i) {
    const std::string key = "i:" + epoch + ":item" + std::to_string(i);
    REQUIRE(rig.field(key, "T") == "50");
    REQUIRE(rig.field(key, "h") == "7");
    REQUIRE(rig.field(key, "a:0.1." + std::to_string(i % 2)) == "9");
  }
}

TEST_CASE_FIXTURE(Fixture,
                  "a promise that comes late is waited for and one that never comes is said") {
  FakeNode node(0, registry);
  node.promises = FakeNode::Promises::never;
  CHECK(await([&] {
    node.step();
    return contains(node.status().problem, "does not become durable: is the disk full?");
  }));
  CHECK(rig.field("m", "E") == "nil");
  node.coordinator().start();
  const auto passes = [&](auto is_ready) {
    return await([&] {
      node.clock.pass(kMillisecond);
      return is_ready();
    });
  };
  REQUIRE(passes([&] { return node.assignment().promise != 0; }));
  CHECK(!node.status().is_open);
  // The shard reports whatever it is asked for by now, as often as it is asked.
  CHECK(passes([&] {
    const uint64_t asked = node.assignment().promise;
    if (asked > node.link(0).promised())
      node.link(0).report({.epoch = asked, .lsn = 1, .lines = {}});
    return node.status().is_open;
  }));
  node.coordinator().stop();
}

TEST_CASE_FIXTURE(Fixture, "a promise that takes long holds up no step") {
  FakeNode node(0, registry, 2);
  node.promises = FakeNode::Promises::never;
  REQUIRE(await([&] {
    node.step();
    return node.assignment().promise != 0;
  }));
  const uint64_t epoch = node.assignment().promise;
  // No step waits, asks another time, or goes on without the promise; operators are answered meanwhile.
  for (int64_t passed_ms = 0; passed_ms < 9'000;) {
    const int64_t wait_ms = node.step().count();
    REQUIRE(wait_ms > 0);
    REQUIRE(wait_ms <= 10);
    passed_ms += wait_ms;
  }
  CHECK(node.assignment().promise == epoch);
  CHECK(rig.field("m", "E") == "nil");
  CHECK(node.restock("a", 5).outcome == Outcome::done);
  (void)node.coordinator().take_wake();
  node.link(0).report({.epoch = epoch, .lsn = 1, .lines = {}});
  CHECK(node.coordinator().take_wake());
  CHECK(!node.coordinator().take_wake());
  node.step();
  CHECK(rig.field("m", "E") == "nil");
  // Both have promised: the plan is carried out that was made before. It is out of date by now, and another follows.
  node.link(1).report({.epoch = epoch, .lsn = 1, .lines = {}});
  node.step();
  CHECK(rig.field("m", "E") == std::to_string(epoch));
  node.promises = FakeNode::Promises::at_once;
  REQUIRE(open({&node}));
  CHECK(node.status().epoch > epoch);
  CHECK(sync(node, 1, "ticket 0 0 0 0") == "OK, 1, 0, 0, 105, 0");
}

TEST_CASE_FIXTURE(Fixture, "a node whose logs have promised a later epoch enters no earlier one") {
  FakeNode node(0, registry);
  REQUIRE(open({&node}));
  uint64_t promised = node.status().epoch;
  const uint64_t begun = node.status().epochs_begun;
  SUBCASE("it comes back") {
    promised += 5 << 16;
    node.logs[0].promised = promised;
    node.start_process();
  }
  SUBCASE("it runs and was told what cannot be") {
    node.link(0).complain(0, true);
  }
  // No later epoch can be begun at this Redis, which has the earlier one open.
  rig.server().command({"CONFIG", "SET", "min-replicas-to-write", "1"});
  const auto step = [&] {
    node.step();
    node.clock.pass(kSecond / 20);
  };
  REQUIRE(await([&] {
    step();
    return contains(node.status().problem, "NOREPLICAS");
  }));
  for (int i = 0; i < 60; ++i) {
    step();
    CHECK(node.assignment().promise > promised);
    CHECK(node.assignment().groups[0].open == 0);
    CHECK(contains(node.status().problem, "NOREPLICAS"));
  }
  // Each of them is a record in every log, and a transaction in the database.
  CHECK(node.status().epochs_begun - begun <= 4);
  rig.server().command({"CONFIG", "SET", "min-replicas-to-write", "0"});
  CHECK(await([&] {
    step();
    return node.status().is_open && node.status().epoch > promised;
  }));
}

TEST_CASE_FIXTURE(Fixture, "an epoch that was overtaken while it was promised is not begun") {
  FakeNode node(0, registry);
  node.promises = FakeNode::Promises::never;
  REQUIRE(await([&] {
    node.step();
    return node.assignment().promise != 0;
  }));
  const uint64_t epoch = node.assignment().promise, later = epoch + (1 << 16);
  REQUIRE(rig.call(Script::bump, std::to_string(later) + " 0 1").starts_with("OK"));
  node.promises = FakeNode::Promises::at_once;
  node.link(0).report({.epoch = epoch, .lsn = 1, .lines = {}});
  node.step();
  CHECK(node.status().epochs_begun == 0);
  CHECK(rig.field("m", "E") == std::to_string(later));
  REQUIRE(open({&node}));
  CHECK(node.status().epoch >= later);
}

// ---- Where going on would be a lie

TEST_CASE_FIXTURE(Fixture, "a node that was taken out for good ends") {
  FakeNode first(0, registry), second(1, registry);
  REQUIRE(open({&first, &second}));
  REQUIRE(rig.call(Script::fence, std::to_string(first.status().epoch) + " 1").starts_with("OK"));
  REQUIRE(registry.retire(1, {}));
  const Death death = death_of([&] {
    FakeNode zombie(1, registry);
    zombie.logs[0].promised = first.status().epoch;
    zombie.start_process();
    zombie.step();
  });
  CHECK(death.exit_code == kExitLogDamaged);
  CHECK(contains(death.words, "node 1 was taken out of the ledger for good"));
}

TEST_CASE_FIXTURE(Fixture, "a node whose number is another directory's ends") {
  REQUIRE(registry.enroll(1, "of another directory"));
  const Death death = death_of([&] {
    FakeNode node(1, registry);
    for (int step = 0; step < 3; ++step) node.step();
  });
  CHECK(death.exit_code == kExitLogDamaged);
  CHECK(contains(death.words, "node 1 was taken out of the ledger for good"));
  CHECK(rig.field("m", "E") == "nil");
}

TEST_CASE_FIXTURE(Fixture,
                  "a log that has not promised the epoch that its node has joined ends it") {
  FakeNode first(0, registry), second(1, registry);
  REQUIRE(open({&first, &second}));
  const Death death = death_of([&] {
    FakeNode restored(1, registry);
    restored.step();
  });
  CHECK(death.exit_code == kExitLogDamaged);
  CHECK(contains(death.words, "its order log has promised no more than 0"));
}

TEST_CASE_FIXTURE(Fixture, "such a log ends its node while the epoch waits for another one too") {
  FakeNode first(0, registry), second(1, registry);
  REQUIRE(open({&first, &second}));
  const uint64_t epoch = first.status().epoch;
  rig.server().command({"FLUSHALL"});
  REQUIRE(await([&] {
    second.step();
    return rig.field("m", "J:1") == "1.1";
  }));
  REQUIRE(rig.field("m", "st") == "R");
  const Death death = death_of([&] {
    FakeNode restored(1, registry);
    restored.logs[0].promised = epoch;
    restored.start_process();
    restored.step();
  });
  CHECK(death.exit_code == kExitLogDamaged);
  CHECK(contains(death.words, "its order log has promised no more than " + std::to_string(epoch)));
  // Whose log has the promise waits with the others.
  second.start_process();
  CHECK(open({&first, &second}));
}

TEST_CASE_FIXTURE(Fixture, "a log that ends before what Redis has seen durable ends its node") {
  FakeNode node(0, registry);
  REQUIRE(open({&node}));
  REQUIRE(sync(node, 1, "", 500).starts_with("OK"));
  const Death death = death_of([&] {
    FakeNode restored(0, registry);
    restored.logs[0] = {.promised = node.status().epoch, .durable = 400, .lines = {}};
    restored.start_process();
    restored.step();
  });
  CHECK(death.exit_code == kExitLogDamaged);
  CHECK(contains(death.words, "Redis has seen record 500 durable, the order log ends at 401"));
  CHECK(contains(death.words, "a new sale needs an empty one"));
  node.logs[0].durable = 499;  // the promise is record 500
  node.start_process();
  CHECK(open({&node}));
}

TEST_CASE_FIXTURE(Fixture, "a process that joins again has written the later records itself") {
  FakeNode node(0, registry);
  REQUIRE(open({&node}));
  const uint64_t epoch = node.status().epoch;
  REQUIRE(sync(node, 1, "ticket 0 0 0 10", node.logs[0].durable + 50).starts_with("OK"));
  node.link(0).complain(0, false);
  REQUIRE(await([&] {
    node.step();
    return node.assignment().groups[0].last_number == 1;
  }));
  CHECK(node.status().is_open);
  CHECK(node.status().epoch == epoch);
}

// ---- Nodes that are taken out

TEST_CASE_FIXTURE(Fixture, "what a node had leased when it was taken out can come back no more") {
  FakeNode first(0, registry), second(1, registry);
  REQUIRE(open({&first, &second}));
  REQUIRE(sync(second, 1, "ticket 0 0 0 60") == "OK, 1, 60, 0, 40, 0");
  CHECK(sync(first, 1, "ticket 0 0 0 30") == "OK, 1, 30, 0, 10, 60");
  RedisClient client(*parse_redis_url("redis://" + rig.server().address()), 30'000);
  REQUIRE(client.connect());
  REQUIRE(take_out(client, registry, 1, Waiting::refuse));
  // Nobody is left to sell or return them, so the first may say that there are no more.
  CHECK(sync(first, 2, "ticket 30 0 0 10") == "OK, 2, 40, 0, 0, 0");
  CHECK(rig.field("i:" + std::to_string(first.status().epoch) + ":ticket", "a:1.1.0") == "60");
  CHECK(registry.frozen()->at(0).accepted == 60);
}

TEST_CASE_FIXTURE(RestockedApart, "who takes a node out brings the units that it had not brought") {
  RedisClient client(*parse_redis_url("redis://" + rig.server().address()), 30'000);
  REQUIRE(client.connect());
  REQUIRE(take_out(client, registry, 1, Waiting::refuse));
  CHECK(sync(first, 1, "ticket 0 0 0 0") == "OK, 1, 0, 0, 110, 0");
}

TEST_CASE_FIXTURE(Fixture, "no units are brought to an epoch that no member is in any more") {
  servers::Relay relay(rig.server().port());
  FakeNode lone(0, registry, "redis://127.0.0.1:" + std::to_string(relay.port()), 1'000);
  REQUIRE(open({&lone}));
  relay.refuse();
  relay.cut();
  CHECK(lone.restock("a", 10).outcome == Outcome::done);
  RedisClient client(*parse_redis_url("redis://" + rig.server().address()), 30'000);
  REQUIRE(client.connect());
  REQUIRE(take_out(client, registry, 0, Waiting::refuse));
  CHECK(rig.field("i:" + std::to_string(lone.status().epoch) + ":ticket", "T") == "100");
}

// ---- Registries

TEST_CASE_FIXTURE(Fixture, "a node with a registry of its own shares its Redis with no other") {
  SoloRegistry solo({{.item = "ticket", .supplied = 100}});
  FakeNode first(0, registry), lone(1, solo, 1, true);
  REQUIRE(open({&first}));
  lone.step();
  CHECK(!lone.status().is_open);
  CHECK(contains(lone.status().problem, "several nodes need --db postgres://"));
  CHECK(rig.field("m", "E") == std::to_string(first.status().epoch));
  rig.server().command({"FLUSHALL"});
  CHECK(open({&lone}));
}

TEST_CASE_FIXTURE(Fixture,
                  "a database that does not answer keeps a new epoch from beginning and no open "
                  "one from going on") {
  FakeNode node(0, registry);
  REQUIRE(open({&node}));
  registry.set_down(true);
  node.start_process();
  REQUIRE(open({&node}));
  rig.server().command({"FLUSHALL"});
  CHECK(await([&] {
    node.step();
    return contains(node.status().problem, "the database does not answer");
  }));
  CHECK(rig.field("m", "E") == "nil");
  registry.set_down(false);
  CHECK(open({&node}));
}

TEST_CASE_FIXTURE(Fixture, "what Redis said and cannot be begins a new epoch") {
  FakeNode node(0, registry);
  REQUIRE(open({&node}));
  const uint64_t epoch = node.status().epoch;
  node.link(0).complain(0, true);
  REQUIRE(await([&] {
    node.step();
    return node.status().is_open && node.status().epoch > epoch;
  }));
}

TEST_CASE_FIXTURE(Fixture, "a node that has reached no Redis is not registered") {
  FakeNode mistyped(4, registry, "redis://127.0.0.1:1", 200);
  for (int step = 0; step < 3; ++step) mistyped.step();
  CHECK(contains(mistyped.status().problem, "Connection refused"));
  servers::RedisServer evicting({.more = {"maxmemory-policy allkeys-lru"}});
  FakeNode refused(5, registry, "redis://" + evicting.address(), 30'000);
  for (int step = 0; step < 3; ++step) refused.step();
  CHECK(contains(refused.status().problem, "maxmemory-policy"));
  CHECK(registry.members()->empty());
  FakeNode node(4, registry);
  REQUIRE(open({&node}));
  CHECK(registry.members()->size() == 1);
}

TEST_CASE_FIXTURE(Fixture, "a Redis that refuses writes is the problem until it takes them") {
  rig.server().command({"CONFIG", "SET", "min-replicas-to-write", "1"});
  FakeNode node(0, registry);
  const auto is_told = [&] {
    node.step();
    node.clock.pass(kSecond / 20);
    return contains(node.status().problem, "NOREPLICAS");
  };
  REQUIRE(await(is_told));
  for (int step = 0; step < 200; ++step) {
    CAPTURE(step);
    CHECK(is_told());
    CHECK(!node.status().is_open);
  }
  rig.server().command({"CONFIG", "SET", "min-replicas-to-write", "0"});
  CHECK(await([&] {
    node.step();
    node.clock.pass(kSecond / 20);
    return node.status().is_open && node.status().problem.empty();
  }));
}

TEST_CASE_FIXTURE(Fixture, "an item that stays unknown to Redis is told while buyers ask for it") {
  FakeNode node(0, registry);
  REQUIRE(open({&node}));
  const auto ask_for = [&](int64_t ns) {
    for (int64_t passed = 0; passed < ns; passed += kSecond / 10) {
      node.link(0).report_unknown_item(0);
      node.step();
      node.clock.pass(kSecond / 10);
    }
  };
  ask_for(kSecond / 2);
  CHECK(node.status().problem == "");
  ask_for(kSecond);
  CHECK(contains(node.status().problem, "does not know items"));
  node.clock.pass(2 * kSecond);
  node.step();
  CHECK(node.status().problem == "");
  CHECK(node.status().is_open);
}

TEST_CASE_FIXTURE(Fixture, "an item whose key is removed while members join costs another epoch") {
  FakeNode first(0, registry), second(1, registry);
  first.logs[0].lines = {{.item = "ticket", .accepted = 60, .returned = 0, .pool = 5}};
  second.logs[0].lines = {{.item = "ticket", .accepted = 30, .returned = 0, .pool = 5}};
  REQUIRE(open({&first, &second}));
  const uint64_t joined = first.status().epochs_joined;
  rig.server().command({"FLUSHALL"});
  // The first begins an epoch and joins it; then the item's key goes.
  REQUIRE(await([&] {
    first.step();
    first.clock.pass(kSecond / 20);
    return first.status().epochs_joined > joined;
  }));
  const std::string keys = rig.server().command({"KEYS", "*:i:*:ticket"}).line();
  REQUIRE(keys.size() > 2);
  rig.server().command({"DEL", keys.substr(1, keys.size() - 2)});
  CHECK(open({&first, &second}));
  CHECK(sync(first, first.assignment().groups[0].last_number + 1, "ticket 60 0 5 20") ==
        "OK, 1, 70, 0, 0, 5");
}

TEST_CASE_FIXTURE(Fixture, "members that run give signs of life and one that is down does not") {
  FakeNode first(0, registry), second(1, registry);
  REQUIRE(open({&first, &second}));
  RedisClient client(*parse_redis_url("redis://" + rig.server().address()), 30'000);
  REQUIRE(client.connect());
  std::atomic<bool> is_over{false};
  std::thread running([&] {
    while (!is_over) {
      first.clock.pass(kSecond);
      first.step();
    }
  });
  const Result<SignsOfLife> signs = watch_members(client, first.status().epoch);
  is_over = true;
  running.join();
  REQUIRE(signs);
  CHECK(signs->running == std::vector<uint32_t>{0});
  CHECK(signs->silent == std::vector<uint32_t>{1});
}

// ---- Operators' changes

TEST_CASE_FIXTURE(Fixture, "a new item is there for all when its operator is told") {
  FakeNode node(0, registry);
  REQUIRE(open({&node}));
  node.coordinator().add("seat", "", 40, 7);
  node.step();
  const StockChange change = node.change();
  CHECK(change.outcome == Outcome::done);
  CHECK(change.ticket == 7);
  CHECK(change.supplied == 40);
  CHECK(sync(node, 1, "seat 0 0 0 1") == "OK, 1, 1, 0, 39, 0");
}

TEST_CASE_FIXTURE(Fixture, "a product that another node sells becomes no second item") {
  FakeNode node(0, registry);
  REQUIRE(open({&node}));
  const Supply sold{.item = "old-code", .supplied = 5};
  REQUIRE(registry.add_items({&sold, 1}));
  const TermsChange written{.item = "old-code", .to = R"({"product":"4711"})"};
  REQUIRE(registry.change_terms({&written, 1}));
  node.coordinator().add("new-code", "4711", 40, 7);
  node.step();
  const StockChange change = node.change();
  CHECK(change.outcome == Outcome::reused);
  CHECK(change.message == "product: it is sold already, as old-code");
  CHECK(registry.supplies()->size() == 2);  // ticket and old-code
  node.coordinator().add("old-code", "4711", 40, 8);
  node.step();
  CHECK(node.change().outcome == Outcome::done);
}

TEST_CASE_FIXTURE(Fixture, "a restock counts once per operation") {
  FakeNode node(0, registry);
  REQUIRE(open({&node}));
  CHECK(node.restock("a", 50).outcome == Outcome::done);
  const StockChange again = node.restock("a", 50);
  CHECK(again.outcome == Outcome::repeated);
  CHECK(again.supplied == 150);
  CHECK(node.restock("b", -30).outcome == Outcome::done);
  CHECK(node.restock("b", -30).outcome == Outcome::repeated);
  CHECK(sync(node, 1, "ticket 0 0 0 0") == "OK, 1, 0, 0, 120, 0");
}

TEST_CASE_FIXTURE(Fixture, "units that only the log remembers are granted when it has them") {
  SoloRegistry solo({{.item = "ticket", .supplied = 100}});
  FakeNode node(0, solo, 1, true);
  REQUIRE(open({&node}));
  const StockChange more = node.restock("a", 50);
  CHECK(more.outcome == Outcome::done);
  CHECK(more.supplied == 150);
  CHECK(sync(node, 1, "ticket 0 0 0 0") == "OK, 1, 0, 0, 100, 0");
  node.coordinator().note_recorded("ticket", 150);
  node.step();
  CHECK(sync(node, 2, "ticket 0 0 0 0") == "OK, 2, 0, 0, 150, 0");
}

TEST_CASE_FIXTURE(Fixture, "units of a node that has sold alone wait for its counters") {
  FakeNode first(0, registry), second(1, registry);
  REQUIRE(open({&first}));
  // The second says what it brings, and does not get any further.
  const Supply seat{.item = "seat", .supplied = 100};
  REQUIRE(registry.bring_items(1, "uuid1", {&seat, 1}));
  second.logs[0].lines = {{.item = "seat", .accepted = 60, .returned = 0, .pool = 0}};
  first.coordinator().restock("seat", "more", 10, 7);
  first.coordinator().add("seat", "", 100, 8);
  first.clock.pass(10 * kSecond);
  for (int step = 0; step < 3; ++step) first.step();
  CHECK(first.coordinator().take_changes().size() == 2);
  CHECK(sync(first, 1, "seat 0 0 0 10") == "OK, 1, -1, -1, -1, -1");
  REQUIRE(open({&first, &second}));
  CHECK(sync(first, 1, "seat 0 0 0 100") == "OK, 1, 50, 0, 0, 0");
}

TEST_CASE_FIXTURE(Fixture, "a node that has sold alone is taken out by what its log says") {
  FakeNode first(0, registry);
  REQUIRE(open({&first}));
  const Supply seat{.item = "seat", .supplied = 100};
  REQUIRE(registry.bring_items(1, "uuid1", {&seat, 1}));
  const auto client =
      real_redis().make_caller(*parse_redis_url("redis://" + rig.server().address()), 1'000);
  REQUIRE(client->connect());
  const Status out = take_out(*client, registry, 1, Waiting::presume_sold);
  REQUIRE_FALSE(out);
  CHECK(contains(out.error().message, "ledger rebuild"));
  // An epoch that waits for it can be told what it holds at most: all that nobody else has.
  REQUIRE(finish_epoch(*client));
  REQUIRE(await([&] {
    first.step();
    return !first.status().missing.empty();
  }));
  REQUIRE(take_out(*client, registry, 1, Waiting::presume_sold));
  REQUIRE(open({&first}));
  CHECK(sync(first, 1, "seat 0 0 0 10") == "OK, 1, 0, 0, 0, 0");
}

TEST_CASE_FIXTURE(Fixture, "an operation id of another restock is refused and changes nothing") {
  FakeNode node(0, registry), other(1, registry);
  REQUIRE(open({&node, &other}));
  const Supply seat{.item = "seat", .supplied = 5};
  REQUIRE(registry.add_items({&seat, 1}));
  CHECK(node.restock("a", 50).outcome == Outcome::done);
  const StockChange more = other.restock("a", 51);
  CHECK(more.outcome == Outcome::reused);
  CHECK(more.message == "op_id a was used for another change: restock 50 of ticket");
  CHECK(node.restock("a", -1).outcome == Outcome::reused);
  other.coordinator().restock("seat", "a", 50, 7);
  other.step();
  CHECK(other.change().outcome == Outcome::reused);
  CHECK(node.restock("a", 50).outcome == Outcome::repeated);
  CHECK(sync(node, 1, "ticket 0 0 0 0") == "OK, 1, 0, 0, 150, 0");
}

TEST_CASE_FIXTURE(Fixture,
                  "a withdrawal that the database has not is repeated with the same number only") {
  FakeNode node(0, registry);
  REQUIRE(open({&node}));
  registry.fail_restock();
  CHECK(node.restock("a", -30).outcome == Outcome::unavailable);
  const StockChange other = node.restock("a", -31);
  CHECK(other.outcome == Outcome::reused);
  CHECK(other.message == "op_id a was used for another change: restock -30 of ticket");
  const StockChange again = node.restock("a", -30);
  CHECK(again.outcome == Outcome::done);
  CHECK(again.withdrawn == 30);
  CHECK(sync(node, 1, "ticket 0 0 0 0") == "OK, 1, 0, 0, 70, 0");
}

TEST_CASE_FIXTURE(RestockedApart,
                  "units that a node could not bring to Redis are brought by the others") {
  CHECK(sync(first, 1, "ticket 0 0 0 0") == "OK, 1, 0, 0, 100, 0");
  // The second never comes back.
  const int64_t began_ns = first.clock.now().boot_ns;
  while (first.clock.now().boot_ns - began_ns < 6 * kSecond) first.step();
  CHECK(sync(first, 2, "ticket 0 0 0 0") == "OK, 2, 0, 0, 110, 0");
  CHECK(first.status().epochs_begun + second.status().epochs_begun <= 2);
}

TEST_CASE_FIXTURE(Fixture, "no more is withdrawn than is free") {
  FakeNode node(0, registry);
  REQUIRE(open({&node}));
  sync(node, 1, "ticket 0 0 0 60");
  const StockChange change = node.restock("a", -41);
  CHECK(change.outcome == Outcome::not_enough);
  CHECK(change.free == 40);
  CHECK(node.restock("a", -40).outcome == Outcome::done);
}

TEST_CASE_FIXTURE(Fixture, "of an item that is held by more than was supplied none is free") {
  FakeNode node(0, registry);
  node.logs[0].lines = {{.item = "ticket", .accepted = 130, .returned = 0, .pool = 0}};
  REQUIRE(open({&node}));
  const StockChange change = node.restock("a", -1);
  CHECK(change.outcome == Outcome::not_enough);
  CHECK(change.free == 0);
}

TEST_CASE_FIXTURE(Fixture, "while the ledger is closed units may be added and none withdrawn") {
  FakeNode node(0, registry);
  REQUIRE(open({&node}));
  registry.set_down(true);
  rig.server().command({"FLUSHALL"});
  CHECK(node.restock("a", -5).outcome == Outcome::unavailable);
  CHECK(node.restock("b", 5).outcome == Outcome::unavailable);
  registry.set_down(false);
  node.promises = FakeNode::Promises::never;
  node.clock.set_step(kSecond);
  CHECK(node.restock("a", -5).outcome == Outcome::unavailable);
  CHECK(node.restock("b", 5).outcome == Outcome::done);
  node.promises = FakeNode::Promises::at_once;
  node.clock.set_step(0);
  REQUIRE(open({&node}));
  CHECK(sync(node, 1, "ticket 0 0 0 0") == "OK, 1, 0, 0, 105, 0");
}

// ---- The masters of a cluster

TEST_CASE_FIXTURE(ClusterFixture, "all groups are in one epoch, each at its master") {
  FakeNode first(0, registry, url(), 200), second(1, registry, url(), 200);
  REQUIRE(open({&first, &second}));
  for (const auto& [group, item] : items) {
    CHECK(field(group, "m", "E") == std::to_string(first.status().epoch));
    CHECK(field(group, "m", "mem") == "0,1");
    CHECK(field(group, "i:" + std::to_string(first.status().epoch) + ":" + item, "T") == "100");
    CHECK(first.assignment().groups[group].server.address.port ==
          masters.node(owner(group)).port());
  }
}

TEST_CASE_FIXTURE(ClusterFixture, "a group that an epoch left behind brings about the next") {
  FakeNode node(0, registry, url(), 200);
  REQUIRE(open({&node}));
  const uint64_t epoch = node.status().epoch;
  masters.node(1).pause();
  masters.node(2).command({"FLUSHALL"});
  REQUIRE(step_until({&node}, [&] { return are_open_after(node, groups_of(2), epoch); }));
  CHECK(node.status().epoch > epoch);
  CHECK(open_epochs(node, groups_of(1)) == std::set<uint64_t>{0});
  CHECK(!node.status().is_open);
  CHECK(contains(node.status().problem, masters.node(1).address()));
  masters.node(1).resume();
  REQUIRE(open({&node}));
  CHECK(node.status().epochs_begun <= 3);
}

TEST_CASE_FIXTURE(ClusterFixture,
                  "whoever finds some groups in an epoch whose proposer has died begins another") {
  FakeNode first(0, registry, url(), 200), second(1, registry, url(), 200);
  REQUIRE(open({&first, &second}));
  const uint64_t epoch = first.status().epoch;
  const uint64_t begun = first.status().epochs_begun + second.status().epochs_begun;
  Result<EpochPlan> plan = registry.begin_epoch(1, epoch);
  REQUIRE(plan);
  for (uint32_t group = 0; group < 4; ++group) REQUIRE(bump(group, *plan) == "[OK]");
  REQUIRE(step_until({&first, &second}, [&] {
    return first.status().is_open && second.status().is_open && first.status().epoch > plan->epoch;
  }));
  CHECK(first.status().epochs_begun + second.status().epochs_begun == begun + 1);
}

TEST_CASE_FIXTURE(ClusterFixture,
                  "a master that is away when the node starts stops its own groups alone") {
  masters.node(1).kill();
  FakeNode node(0, registry, url(), 200);
  CHECK(step_until({&node}, [&] { return are_open(node, both(groups_of(0), groups_of(2))); }));
  CHECK(open_epochs(node, groups_of(1)) == std::set<uint64_t>{0});
  masters.node(1).restart();
  CHECK(open({&node}));
}

TEST_CASE_FIXTURE(
    ClusterFixture,
    "new units arrive at the masters that are there, and later at the one that was away") {
  FakeNode node(0, registry, url(), 200);
  REQUIRE(open({&node}));
  masters.node(1).pause();
  for (const auto& [group, item] : items) {
    node.coordinator().add("new-" + item, "", 40, 7);
    node.step();
    CHECK(node.change().outcome == Outcome::done);
  }
  const std::string epoch = std::to_string(node.status().epoch);
  const auto has_arrived = [&](size_t master) {
    for (const auto& [group, item] : items) {
      const std::string name = "new-" + item;
      const uint32_t place = group_of(name, kGroupsMax);
      if (owner(place) == master && field(place, "i:" + epoch + ":" + name, "T") != "40")
        return false;
    }
    return true;
  };
  CHECK(has_arrived(0));
  CHECK(has_arrived(2));
  masters.node(1).resume();
  CHECK(step_until({&node}, [&] { return has_arrived(1); }));
}

TEST_CASE_FIXTURE(
    ClusterFixture,
    "a master that cannot be written to stops its own groups alone and costs few epochs") {
  FakeNode node(0, registry, url(), 200);
  REQUIRE(open({&node}));
  const uint64_t epoch = node.status().epoch;
  masters.node(1).command({"CONFIG", "SET", "maxmemory", "1"});
  masters.node(1).command({"FLUSHALL"});
  masters.node(2).command({"FLUSHALL"});
  REQUIRE(step_until({&node}, [&] { return are_open_after(node, groups_of(2), epoch); }));
  const uint64_t begun = node.status().epochs_begun;
  const int64_t began_ns = node.clock.now().boot_ns;
  REQUIRE(step_until({&node}, [&] { return node.clock.now().boot_ns - began_ns > 20 * kSecond; }));
  CHECK(node.status().epochs_begun - begun <= 6);
  CHECK(are_open(node, both(groups_of(0), groups_of(2))));
  CHECK(contains(node.status().problem, "OOM command not allowed"));
  masters.node(1).command({"CONFIG", "SET", "maxmemory", "0"});
  CHECK(open({&node}));
}

TEST_CASE_FIXTURE(ClusterFixture,
                  "a node whose promise did not begin goes on in no group of the epoch before") {
  FakeNode node(0, registry, url(), 200);
  REQUIRE(open({&node}));
  const uint64_t epoch = node.status().epoch;
  masters.node(2).command({"FLUSHALL"});
  for (size_t master = 0; master < masters.size(); ++master)
    masters.node(master).command({"CONFIG", "SET", "min-replicas-to-write", "1"});
  REQUIRE(step_until({&node}, [&] { return node.assignment().promise > epoch; }));
  // The groups of two masters are as open in that epoch as they were.
  const std::vector<uint32_t> others = both(groups_of(0), groups_of(1));
  for (int i = 0; i < 60; ++i) {
    CHECK(open_epochs(node, others) == std::set<uint64_t>{0});
    node.step();
    node.clock.pass(kSecond / 20);
  }
  for (size_t master = 0; master < masters.size(); ++master)
    masters.node(master).command({"CONFIG", "SET", "min-replicas-to-write", "0"});
  CHECK(open({&node}));
  CHECK(node.status().epoch > epoch);
}

TEST_CASE_FIXTURE(ClusterFixture,
                  "a group whose slot is on its way keeps no other from a new epoch") {
  FakeNode node(0, registry, url(), 200);
  REQUIRE(open({&node}));
  const int slot = masters.slot(std::string(state_key(0)));
  const size_t from = owner(0), to = (from + 1) % masters.size();
  // New keys belong at the new place already, the state is still at the old one.
  masters.begin_move(slot, to);
  masters.node(owner(1)).command({"DEL", std::string(state_key(1))});
  std::vector<uint32_t> others(kGroupsMax - 1);
  std::iota(others.begin(), others.end(), 1);
  CHECK(step_until({&node}, [&] { return field(1, "m", "st") == "O" && are_open(node, others); }));
  CHECK(open_epochs(node, {0}) == std::set<uint64_t>{0});
  masters.migrate_keys(slot, to);
  masters.finish_move(slot, to);
  CHECK(open({&node}));
  masters.move(slot, from);
}

TEST_CASE_FIXTURE(ClusterFixture,
                  "without the database a node goes on in the groups that need no new epoch") {
  FakeNode node(0, registry, url(), 200);
  REQUIRE(open({&node}));
  const uint64_t epoch = node.status().epoch;
  registry.set_down(true);
  masters.node(2).command({"FLUSHALL"});
  node.start_process();
  const std::vector<uint32_t> others = both(groups_of(0), groups_of(1));
  CHECK(step_until({&node}, [&] { return are_open(node, others); }));
  CHECK(open_epochs(node, others) == std::set<uint64_t>{epoch});
  CHECK(open_epochs(node, groups_of(2)) == std::set<uint64_t>{0});
  CHECK(contains(node.status().problem, "the database does not answer"));
  registry.set_down(false);
  CHECK(open({&node}));
}

TEST_SUITE_END();
