#include "cluster/redis_ledger.h"

#include <bit>

#include "../../servers/redis_cluster.h"
#include "../../servers/relay.h"
#include "cluster/redis_connection.h"
#include "net/epoll_net.h"
#include "shared_redis.h"

#include <doctest/doctest.h>  // last: its CHECK is the one that tests mean

namespace {

using namespace stampede;
using namespace stampede::cluster;
using namespace stampede::ledger;
using servers::await;

constexpr uint64_t kEpoch = 65'536;
constexpr Units kSupplied = 100;

// The stream of a shard that accepts what it is granted and sells nothing.
class FakeClient final : public Client {
 public:
  ItemId item(const std::string& code) {
    codes_.push_back(code);
    counts_.emplace_back();
    return static_cast<ItemId>(codes_.size() - 1);
  }

  void take_news(const LedgerNews& news) override {
    counts_[news.item].accepted = counts_[news.item].pool = news.accepted;
  }
  StreamCount count(ItemId item) override { return counts_.at(item); }
  std::optional<Lsn> promise(uint64_t) override { return 1; }
  Lsn durable() const override { return 1; }
  StreamCount durable_count(ItemId item) const override { return counts_.at(item); }
  ItemId items_touched() const override { return static_cast<ItemId>(codes_.size()); }
  std::string_view code_of(ItemId item) const override { return codes_.at(item); }
  void on_open(uint32_t, uint32_t) override {}

 private:
  std::vector<std::string> codes_;
  std::vector<StreamCount> counts_;
};

// One shard and one Redis that has all groups. Time passes when a test says so.
class Rig {
 public:
  explicit Rig(servers::RedisServer& server) : Rig(server.port()) {}
  explicit Rig(uint16_t port)
      : server_{.address = {.host = "127.0.0.1", .port = port}},
        connection_(std::move(*RedisConnection::open(server_, 30'000, interruption_))) {}

  // A code of the group, supplied there unless told otherwise.
  ItemId item(uint32_t group, bool is_supplied = true) {
    for (int i = 0;; ++i) {
      const std::string code = "item" + std::to_string(i);
      if (group_of(code, kGroupsMax) != group) continue;
      open(group, is_supplied ? std::vector<std::string>{code, std::to_string(kSupplied), "0"}
                              : std::vector<std::string>());
      return client.item(code);
    }
  }
  void begin(const std::vector<uint32_t>& groups) {
    Assignment assignment{.promise = kEpoch, .groups = std::vector<GroupAssignment>(kGroupsMax)};
    for (const uint32_t group : groups) assignment.groups[group].server = server_;
    link_.assign(assignment);
    REQUIRE(turn_until([&] { return link_.promised() == kEpoch; }));
    for (const uint32_t group : groups) assignment.groups[group].open = kEpoch;
    link_.assign(assignment);
    REQUIRE(turn_until([&] { return std::popcount(ledger.ready_groups()) == int(groups.size()); }));
  }
  void ask(ItemId item) {
    const StreamCount count = client.count(item);
    const LedgerAsk ask{.item = item,
                        .group = group_of(client.code_of(item), kGroupsMax),
                        .accepted = count.accepted,
                        .pool = count.pool,
                        .want = 1};
    ledger.exchange(client, {&ask, 1}, now_);
  }
  EpochLink& link() { return link_; }
  void pass(int64_t ns) { now_.boot_ns += ns; }
  void turn() {
    for (const net::Event& event : net_.poll(kMillisecond)) ledger.on_event(event);
    ledger.poll(client, now_);
  }
  template <typename Ready>
  bool turn_until(Ready is_ready) {
    return await([&] {
      turn();
      return is_ready();
    });
  }

 private:
  void open(uint32_t group, std::vector<std::string> supply) {
    const std::string epoch = std::to_string(kEpoch);
    std::vector<std::string> filling{epoch, "*", "0", "0.0", "0", "1"};
    filling.insert(filling.end(), supply.begin(), supply.end());
    REQUIRE(connection_->call(group, Script::bump, {epoch, "0", "1"}));
    REQUIRE(connection_->call(group, Script::join, filling));
    REQUIRE(connection_->call(group, Script::join, {epoch, "0", "1", "1.1", "1", "1"}));
  }

  RedisServer server_;
  Interruption interruption_;
  std::unique_ptr<RedisConnection> connection_;
  net::EpollNet net_;
  LedgerLanes lanes_{1};
  EpochLink link_{[] {}, [] {}};
  Moment now_{.wall_ns = kSecond, .boot_ns = kSecond};

 public:
  FakeClient client;
  RedisLedger ledger{
      {.generation = 1, .boot = 1, .token = 1, .timeout_ns = kSecond, .group_count = kGroupsMax},
      real_redis(),
      net_,
      link_,
      lanes_};
};

}  // namespace

TEST_SUITE_BEGIN("cluster/redis_ledger");

TEST_CASE("an answer that comes late is not taken for that of the next audit") {
  servers::RedisServer& server = servers::empty_redis();
  Rig rig(server);
  const ItemId first = rig.item(3), second = rig.item(9);
  rig.begin({3, 9});
  rig.ask(first);
  REQUIRE(rig.turn_until([&] { return rig.client.count(first).pool == 1; }));
  server.pause();
  REQUIRE(rig.ledger.audit(first, 1));
  for (int turns = 0; turns < 4; ++turns) rig.turn();
  REQUIRE(rig.ledger.audit(second, 2));
  for (int turns = 0; turns < 3; ++turns) {
    rig.pass(50 * kMillisecond);
    rig.turn();
    rig.turn();
    rig.turn();
  }
  server.resume();
  std::vector<AuditResult> results;
  REQUIRE(rig.turn_until([&] {
    rig.pass(kMillisecond);
    for (const AuditResult& result : rig.ledger.take_audits()) results.push_back(result);
    return results.size() == 2;
  }));
  for (const AuditResult& result : results) {
    CHECK(result.is_known);
    CHECK(result.line.is_ok);
    CHECK(result.line.item == (result.ticket == 1 ? first : second));
    CHECK(result.line.leased == (result.ticket == 1 ? 1 : 0));
  }
}

TEST_CASE("a call that is refused for its slot's sake holds up no other group of the master") {
  servers::RedisCluster cluster(2);
  const auto slot_of = [&](uint32_t group) { return cluster.slot(std::string(state_key(group))); };
  std::vector<uint32_t> groups;
  for (uint32_t group = 0; groups.size() < 2; ++group)
    if (cluster.owner(slot_of(group)) == 0) groups.push_back(group);
  Rig rig(cluster.node(0));
  const ItemId moving = rig.item(groups[0], false), staying = rig.item(groups[1]);
  rig.begin(groups);
  cluster.begin_move(slot_of(groups[0]), 1);
  rig.ask(moving);
  for (uint32_t number = 1; number <= 20; ++number) {
    rig.ask(staying);
    REQUIRE(rig.turn_until([&] {
      rig.pass(kMillisecond);
      return rig.client.count(staying).accepted == number;
    }));
    REQUIRE(rig.turn_until([&] { return (rig.ledger.ready_groups() >> groups[1] & 1) != 0; }));
  }
  CHECK(rig.ledger.stats().connects == 1);
  CHECK((rig.ledger.available_groups() >> groups[0] & 1) == 0);
  CHECK((rig.ledger.available_groups() >> groups[1] & 1) == 1);
  // It goes on being asked, now and then.
  const uint64_t calls = rig.ledger.stats().calls;
  for (int turns = 0; turns < 100; ++turns) {
    rig.pass(10 * kMillisecond);
    rig.turn();
  }
  CHECK(rig.ledger.stats().calls - calls >= 10);
  CHECK(rig.ledger.stats().calls - calls <= 25);
}

TEST_CASE("an item whose key was removed is not counted from nothing but costs the epoch") {
  servers::RedisServer& server = servers::empty_redis();
  Rig rig(server);
  const ItemId item = rig.item(3);
  rig.begin({3});
  rig.ask(item);
  REQUIRE(rig.turn_until([&] { return rig.client.count(item).accepted == 1; }));
  CHECK(rig.link().take_trouble().needs_new_epoch == 0);
  server.command({"EVAL", "return redis.call('DEL', unpack(redis.call('KEYS', '*:i:*')))", "0"});
  rig.ask(item);
  uint32_t groups = 0;
  CHECK(rig.turn_until([&] { return (groups |= rig.link().take_trouble().needs_new_epoch) != 0; }));
  CHECK(groups == 1u << 3);
  CHECK(rig.client.count(item).accepted == 1);
  CHECK(rig.ledger.ready_groups() == 0);
}

TEST_CASE("an item that Redis does not know yet is reported and asked for again") {
  servers::RedisServer& server = servers::empty_redis();
  Rig rig(server);
  const ItemId item = rig.item(3, false);
  rig.begin({3});
  rig.ask(item);
  EpochLink::Trouble trouble;
  CHECK(rig.turn_until([&] { return (trouble = rig.link().take_trouble()).unknown_items != 0; }));
  CHECK(trouble.unknown_items == 1u << 3);
  CHECK(trouble.needs_new_epoch == 0);
  CHECK(rig.ledger.ready_groups() == 1u << 3);
}

TEST_CASE("a reply that never ends ends its connection at the bound of its bytes") {
  servers::Relay relay(servers::empty_redis().port());
  Rig rig(relay.port());
  const ItemId item = rig.item(3);
  rig.begin({3});
  const uint64_t before = relay.counts().bytes_to_client;
  relay.forge_reply(1, {"$536870912\r\n", servers::Forgery::Then::flood});
  rig.ask(item);
  // No time passes, so it is not the deadline of the call that ends it.
  REQUIRE(rig.turn_until([&] {
    const servers::RelayCounts now = relay.counts();
    return now.open < 2 || now.accepted > 2;
  }));
  CHECK(relay.counts().bytes_to_client - before < 256 * 1024 * 1024);
}

TEST_CASE("a master that refuses every call is connected to now and then") {
  servers::RedisServer& server = servers::empty_redis();
  Rig rig(server);
  const ItemId item = rig.item(3);
  rig.begin({3, 9});
  server.command({"CONFIG", "SET", "maxmemory", "1"});
  rig.ask(item);
  for (int turns = 0; turns < 200; ++turns) {
    rig.pass(5 * kMillisecond);
    rig.turn();
  }
  CHECK(rig.ledger.stats().connects <= 30);
  CHECK(rig.ledger.stats().connects >= 5);
  server.command({"CONFIG", "SET", "maxmemory", "0"});
  CHECK(rig.turn_until([&] {
    rig.pass(kMillisecond);
    return rig.client.count(item).accepted == 1;
  }));
}

TEST_SUITE_END();
