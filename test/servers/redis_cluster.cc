#include "redis_cluster.h"

#include <doctest/doctest.h>

#include "free_port.h"

namespace stampede::servers {
namespace {

constexpr size_t kSlotCount = 16'384;

// Of "name:value\r\n" lines.
bool has_line(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\r") != std::string::npos;
}

}  // namespace

RedisCluster::RedisCluster(size_t node_count, const RedisOptions& options) : options_(options) {
  while (size() < node_count) add_node();
  join();
  await_ok();
}

void RedisCluster::add_node() {
  RedisOptions own = options_;
  // The bus would take port + 10000.
  own.more.insert(own.more.end(),
                  {"cluster-enabled yes", "cluster-port " + std::to_string(free_port())});
  nodes_.push_back(std::make_unique<RedisServer>(own));
}

void RedisCluster::meet(size_t index) {
  std::string port = std::to_string(node(index).port());
  std::string bus_port = node(index).command({"CONFIG", "GET", "cluster-port"}).elements.at(1).text;
  REQUIRE(node(0).command({"CLUSTER", "MEET", "127.0.0.1", port, bus_port}).line() == "OK");
}

size_t RedisCluster::add_replica(size_t master) {
  const size_t index = size();
  add_node();
  meet(index);
  await_ok();
  REQUIRE(node(index).command({"CLUSTER", "REPLICATE", id(master)}).line() == "OK");
  node(index).await_in_sync(node(master));
  return index;
}

void RedisCluster::fail_over(size_t replica) {
  // Without an election: not every master that would vote has heard of the replica by now.
  REQUIRE(node(replica).command({"CLUSTER", "FAILOVER", "TAKEOVER"}).line() == "OK");
  REQUIRE(await([&] { return node(replica).info("role") == "master"; }));
}

void RedisCluster::join() {
  for (size_t i = 0; i < size(); ++i) {
    std::string first = std::to_string(i * kSlotCount / size());
    std::string last = std::to_string((i + 1) * kSlotCount / size() - 1);
    REQUIRE(node(i).command({"CLUSTER", "SET-CONFIG-EPOCH", std::to_string(i + 1)}).line() == "OK");
    REQUIRE(node(i).command({"CLUSTER", "ADDSLOTSRANGE", first, last}).line() == "OK");
  }
  for (size_t i = 1; i < size(); ++i) meet(i);
}

void RedisCluster::await_ok() {
  for (auto& each : nodes_)
    REQUIRE(await([&] {
      std::string info = each->command({"CLUSTER", "INFO"}).text;
      return has_line(info, "cluster_state:ok") &&
             has_line(info, "cluster_known_nodes:" + std::to_string(size()));
    }));
}

int RedisCluster::slot(const std::string& key) {
  return static_cast<int>(node(0).command({"CLUSTER", "KEYSLOT", key}).integer);
}

size_t RedisCluster::owner(int slot) {
  // CLUSTER SLOTS: [[first, last, [host, port, id, …], …], …]
  for (const RedisReply& range : node(0).command({"CLUSTER", "SLOTS"}).elements) {
    if (slot < range.elements.at(0).integer || slot > range.elements.at(1).integer) continue;
    for (size_t i = 0; i < size(); ++i)
      if (node(i).port() == range.elements.at(2).elements.at(1).integer) return i;
  }
  FAIL("slot ", slot, " has no owner");
  return size();
}

void RedisCluster::begin_move(int slot, size_t to) {
  size_t from = owner(slot);
  std::string name = std::to_string(slot);
  // The new owner first: whoever is sent there by ASK must be let in.
  REQUIRE(node(to).command({"CLUSTER", "SETSLOT", name, "IMPORTING", id(from)}).line() == "OK");
  REQUIRE(node(from).command({"CLUSTER", "SETSLOT", name, "MIGRATING", id(to)}).line() == "OK");
}

void RedisCluster::migrate_keys(int slot, size_t to) {
  RedisServer& from = node(owner(slot));
  RedisReply keys = from.command({"CLUSTER", "GETKEYSINSLOT", std::to_string(slot), "1000000"});
  if (keys.elements.empty()) return;
  std::vector<std::string> migrate{"MIGRATE", "127.0.0.1", std::to_string(node(to).port()),
                                   "",        "0",         std::to_string(kPatience.count())};
  if (!from.password().empty()) migrate.insert(migrate.end(), {"AUTH", from.password()});
  migrate.push_back("KEYS");
  for (const RedisReply& key : keys.elements) migrate.push_back(key.text);
  REQUIRE(from.command(migrate).line() == "OK");
}

void RedisCluster::finish_move(int slot, size_t to) {
  std::string name = std::to_string(slot), new_owner = id(to);
  // The new owner first, or nobody would serve the slot for a moment.
  REQUIRE(node(to).command({"CLUSTER", "SETSLOT", name, "NODE", new_owner}).line() == "OK");
  for (size_t i = 0; i < size(); ++i)
    if (i != to)
      REQUIRE(node(i).command({"CLUSTER", "SETSLOT", name, "NODE", new_owner}).line() == "OK");
}

void RedisCluster::move(int slot, size_t to) {
  begin_move(slot, to);
  migrate_keys(slot, to);
  finish_move(slot, to);
}

}  // namespace stampede::servers
