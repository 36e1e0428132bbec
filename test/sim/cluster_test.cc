// Nodes that are no more than a stream, its ledger and its coordinator, on simulated Redis servers and a simulated registry: the
// shared ledger in all weathers, without the rest of a node.
#include <algorithm>
#include <array>
#include <random>

#include "../world/fake_net.h"
#include "cluster/coordinator.h"
#include "cluster/redis_ledger.h"
#include "redis.h"
#include "registry.h"

#include <doctest/doctest.h>  // last: its CHECK is the one that tests mean

namespace {

using namespace stampede;
using namespace stampede::cluster;
using namespace stampede::sim;

constexpr std::array<const char*, 3> kItems{"ticket", "seat", "cup"};
// Few, and most of them are given back again and again: units are scarce all the time.
constexpr Units kSupplied = 30;

class HandClock final : public Clock {
 public:
  Moment now() override { return {.wall_ns = now_ns, .boot_ns = now_ns}; }
  int64_t now_ns = 10 * kSecond;
};

// A stream's log: what a process knows, and what of it would survive.
struct Log {
  struct Item {
    Units accepted = 0, returned = 0, sold = 0;
    Units pool() const { return accepted - returned - sold; }
  };
  struct State {
    std::array<Item, kItems.size()> items;
    uint64_t promised = 0;
    Lsn lsn = 0;
  };
  State appended, durable;
  uint64_t boot = 0;
};

class Stream final : public ledger::Client {
 public:
  explicit Stream(Log& log) : log_(log) {}

  void take_news(const LedgerNews& news) override {
    Log::Item& item = log_.appended.items[news.item];
    if (news.accepted <= item.accepted) return;
    item.accepted = news.accepted;
    ++log_.appended.lsn;
  }
  StreamCount count(ItemId id) override {
    const Log::Item& item = log_.appended.items[id];
    return {.accepted = item.accepted,
            .returned = item.returned,
            .paid = item.sold,
            .pool = item.pool()};
  }
  std::optional<Lsn> promise(uint64_t epoch) override {
    log_.appended.promised = epoch;
    return ++log_.appended.lsn;
  }
  Lsn durable() const override { return log_.durable.lsn; }
  StreamCount durable_count(ItemId id) const override {
    const Log::Item& item = log_.appended.items[id];
    const Units returned = log_.durable.items[id].returned;
    return {.accepted = item.accepted,
            .returned = returned,
            .pool = item.pool() + item.returned - returned};
  }
  ItemId items_touched() const override { return kItems.size(); }
  std::string_view code_of(ItemId item) const override { return kItems[item]; }
  void on_open(uint32_t, uint32_t) override {}

 private:
  Log& log_;
};

// What is shared: all that the nodes of one run stand on.
struct Surroundings {
  Surroundings(uint64_t seed, const std::string& with_url)
      : random(seed), url(with_url), world(random.next(), clock) {}
  uint64_t below(uint64_t end) { return random.below(end); }

  Random random;
  std::string url;
  HandClock clock;
  RedisWorld world;
  RegistryDatabase database;
};

class Node {
 public:
  Node(Surroundings& around, uint32_t number) : around_(around), number_(number) { start(); }

  void start() { process_ = std::make_unique<Process>(around_, number_, log); }
  // What was not durable is gone.
  void kill() {
    if (process_) process_->redis->cut_off();
    process_.reset();
    log.appended = log.durable;
  }
  bool is_running() const { return process_ != nullptr; }
  CoordinatorStatus status() const { return process_->coordinator.status(); }
  // A turn of the shard and, when it is due, a step of the coordinator.
  void turn(Units want) {
    Process& process = *process_;
    const Moment now = around_.clock.now();
    process.ledger.poll(process.stream, now);
    ask(process, want, now);
    work();
    if (!process.coordinator.take_wake() && now.boot_ns < process.next_step_ns) return;
    const auto wait = process.coordinator.step();
    process.next_step_ns =
        now.boot_ns + wait.count() * kMillisecond + process.redis->take_waited_ns();
  }

  Log log;

 private:
  struct Process {
    Process(Surroundings& around, uint32_t number, Log& log)
        : redis(around.world.make_access(number)),
          registry(around.database, number),
          stream(log),
          ledger({.node = number,
                  .generation = 1,
                  .boot = ++log.boot,
                  .token = 1,
                  .timeout_ns = kSecond,
                  .group_count = parse_redis_url(around.url)->group_count()},
                 *redis, net, link, lanes),
          coordinator({.node = number,
                       .uuid = "uuid" + std::to_string(number),
                       .boot = log.boot,
                       .url = *parse_redis_url(around.url),
                       .promised = log.durable.promised,
                       .seed = static_cast<uint32_t>(around.random.next())},
                      *redis, registry, {&link}, around.clock, [] {}) {
      woken = &coordinator;
    }

    std::unique_ptr<NodeRedis> redis;
    SimulatedRegistry registry;
    Stream stream;
    world::FakeNet net;
    ledger::LedgerLanes lanes{1};
    Coordinator* woken = nullptr;
    EpochLink link{[] {},
                   [this] {
                     if (woken != nullptr) woken->wake();
                   }};
    RedisLedger ledger;
    Coordinator coordinator;
    int64_t next_step_ns = 0;
  };

  void ask(Process& process, Units most, Moment now) {
    std::vector<LedgerAsk> asks;
    const uint32_t ready = process.ledger.ready_groups();
    for (uint32_t group = 0; group < process.ledger.group_count(); ++group)
      for (ItemId id = 0; id < kItems.size(); ++id) {
        const bool is_of_it = group_of(kItems[id], process.ledger.group_count()) == group;
        if (!is_of_it || (ready >> group & 1) == 0 || around_.below(4) != 0) continue;
        const StreamCount count = process.stream.durable_count(id);
        asks.push_back({.item = id,
                        .group = group,
                        .accepted = count.accepted,
                        .returned = count.returned,
                        .pool = count.pool,
                        .want = around_.below(most + 1)});
      }
    if (!asks.empty()) process.ledger.exchange(process.stream, asks, now);
  }
  // Sells, gives back, and now and then all of it becomes durable.
  void work() {
    for (Log::Item& item : log.appended.items) {
      if (item.pool() == 0 || around_.below(6) != 0) continue;
      ++log.appended.lsn;
      (around_.below(100) == 0 ? item.sold : item.returned) += 1;
    }
    if (around_.below(3) == 0) log.durable = log.appended;
  }

  Surroundings& around_;
  const uint32_t number_;
  std::unique_ptr<Process> process_;
};

struct Outcome {
  bool is_oversold = false, is_unsold = false, is_stuck = false;
  uint64_t sold = 0, epochs = 0;
  std::string trace;
};

class Run {
 public:
  Run(uint64_t seed, uint32_t nodes, const std::string& url)
      : around_(seed, url), first_(around_.world.add_master()) {
    for (int i = 0; i < 2; ++i) around_.world.add_replica(first_);
    SimulatedRegistry registry(around_.database, 0);
    for (const char* const code : kItems) {
      const Supply supply{.item = code, .supplied = kSupplied};
      REQUIRE(registry.add_items({&supply, 1}));
    }
    for (uint32_t number = 0; number < nodes; ++number)
      nodes_.push_back(std::make_unique<Node>(around_, number));
  }

  RedisWorld& world() { return around_.world; }

  Outcome play(int turns) {
    around_.world.weather = {
        .lag_max_ns = static_cast<int64_t>(1 + around_.below(200)) * kMillisecond,
        .request_lost = 2,
        .reply_lost = 2,
        .request_late = 5,
        .connection_ended = 2};
    for (int turn = 0; turn < turns && !outcome_.is_oversold; ++turn) {
      if (around_.below(150) == 0) trouble();
      this->turn(3);
    }
    if (!outcome_.is_oversold) heal();
    return outcome_;
  }

 private:
  void turn(Units want) {
    around_.clock.now_ns += static_cast<int64_t>(around_.below(2 * kMillisecond));
    around_.world.deliver();
    const size_t first = around_.below(nodes_.size());
    for (size_t i = 0; i < nodes_.size(); ++i)
      if (Node& node = *nodes_[(first + i) % nodes_.size()]; node.is_running()) node.turn(want);
    check();
  }
  Units sold(size_t item) const {
    Units sum = 0;
    for (const auto& node : nodes_) sum += node->log.durable.items[item].sold;
    return sum;
  }
  // More that is held by logs is sold to buyers sooner or later.
  void check() {
    for (size_t id = 0; id < kItems.size(); ++id) {
      Units held = 0;
      for (const auto& node : nodes_) {
        const Log::Item& item = node->log.durable.items[id];
        held += item.accepted - item.returned;
      }
      outcome_.is_oversold |= held > kSupplied;
    }
  }
  void trouble() {
    const auto server = static_cast<uint32_t>(around_.below(around_.world.server_count()));
    Node& node = *nodes_[around_.below(nodes_.size())];
    RedisWorld& world = around_.world;
    switch (around_.below(10)) {
      case 0:
        if (world.is_running(server)) world.kill(server);
        return;
      case 1:
        return world.restart(server, static_cast<RedisWorld::Contents>(around_.below(3)));
      case 2:
        return world.save_copy(server);
      case 3:
        if (world.is_running(server)) world.pause(server);
        return;
      case 4:
        return fail_over(server, static_cast<uint32_t>(around_.below(nodes_.size())));
      case 5:
        return world.set_reachable(static_cast<uint32_t>(around_.below(nodes_.size())), server,
                                   around_.below(2) == 0);
      case 6:
        if (node.is_running()) node.kill();
        return;
      case 7:
        if (!node.is_running()) node.start();
        return;
      case 8:
        around_.database.is_away = around_.below(2) == 0;
        return;
      default:
        return mend();
    }
  }
  // Some nodes hear of it, others go on with the old master.
  void fail_over(uint32_t server, uint32_t node) {
    RedisWorld& world = around_.world;
    if (!world.is_running(server)) return;
    if (!world.is_master(server)) world.promote(server);
    world.appoint(server, RedisWorld::kEverybody,
                  around_.below(2) == 0 ? RedisWorld::kEverybody : node);
  }
  void mend() {
    RedisWorld& world = around_.world;
    for (uint32_t server = 0; server < world.server_count(); ++server) {
      if (!world.is_running(server)) world.restart(server, RedisWorld::Contents::as_left);
      world.resume(server);
      for (uint32_t node = 0; node < nodes_.size(); ++node) world.set_reachable(node, server, true);
    }
    const uint32_t master = world.appointed(0, 0);
    world.appoint(master);
    for (uint32_t server = 0; server < world.server_count(); ++server)
      if (server != master) world.follow(server, master);
    around_.database.is_away = false;
    for (const auto& node : nodes_)
      if (!node->is_running()) node->start();
  }
  // With good weather all of it is sold in the end.
  void heal() {
    mend();
    around_.world.weather = {};
    const auto are_all_sold = [&] {
      for (size_t item = 0; item < kItems.size(); ++item)
        if (sold(item) != kSupplied) return false;
      return true;
    };
    const auto are_all_open = [&] {
      return std::ranges::all_of(nodes_, [](const auto& node) { return node->status().is_open; });
    };
    for (int turns = 0; turns < 60'000 && !(are_all_sold() && are_all_open()); ++turns) turn(3);
    outcome_.is_unsold = !are_all_sold();
    outcome_.is_stuck = !are_all_open();
    for (const auto& node : nodes_) outcome_.epochs += node->status().epochs_begun;
    for (const auto& node : nodes_)
      for (const Log::Item& item : node->log.durable.items) {
        outcome_.sold += item.sold;
        outcome_.trace += std::to_string(item.accepted) + "/" + std::to_string(item.returned) +
                          "/" + std::to_string(item.sold) + " ";
      }
    outcome_.trace += std::to_string(around_.clock.now_ns) + " " + std::to_string(outcome_.epochs);
  }

  Surroundings around_;
  uint32_t first_;
  std::vector<std::unique_ptr<Node>> nodes_;
  Outcome outcome_;
};

uint64_t number_from(const char* name, uint64_t otherwise) {
  const char* const given = std::getenv(name);
  return given != nullptr ? std::strtoull(given, nullptr, 10) : otherwise;
}

// The masters of a cluster are one master for all groups here.
std::string url_of(uint64_t seed) {
  return seed % 4 == 0 ? "redis+cluster://10.0.0.1" : "redis://10.0.0.1";
}

}  // namespace

TEST_SUITE_BEGIN("sim/cluster");

TEST_CASE("nodes on failing servers sell neither more nor less than there is") {
  const uint64_t first = number_from("SEED", std::random_device{}()),
                 runs = number_from("RUNS", 20);
  MESSAGE("SEED=" << first);
  for (uint64_t seed = first; seed < first + runs; ++seed) {
    CAPTURE(seed);
    const Outcome outcome = Run(seed, 1 + seed % 3, url_of(seed)).play(8'000);
    CHECK(!outcome.is_oversold);
    CHECK(!outcome.is_unsold);
    CHECK(!outcome.is_stuck);
  }
}

TEST_CASE("scripts that do not look whether this is the Redis that they knew oversell") {
  const uint64_t first = number_from("SEED", std::random_device{}());
  bool is_noticed = false;
  uint64_t runs = 0;
  for (; runs < 400 && !is_noticed; ++runs) {
    Run run(first + runs, 3, "redis://10.0.0.1");
    for (unsigned script = 0; script < kScriptCount; ++script)
      run.world().engine().plant(Script(script), "if m[2] ~= rid then", "if false then");
    is_noticed = run.play(8'000).is_oversold;
  }
  MESSAGE("SEED=" << first << ", noticed in run " << runs);
  CHECK(is_noticed);
}

TEST_CASE("the same seed makes the same run") {
  const uint64_t seed = number_from("SEED", std::random_device{}());
  CAPTURE(seed);
  const auto trace_of = [&] { return Run(seed, 3, url_of(seed)).play(4'000).trace; };
  CHECK(trace_of() == trace_of());
}

TEST_SUITE_END();
