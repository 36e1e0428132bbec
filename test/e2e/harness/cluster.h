// Several real servers that sell one stock: one shard each, one Redis, one PostgreSQL. Each node has a relay of its own to
// Redis, so that a test may cut off one node, or all of them, or send some to another Redis.
//
//   users ── rush ──▶ node 0 ── relay 0 ──┐
//   users ── rush ──▶ node 1 ── relay 1 ──┼──▶ Redis        all ──▶ PostgreSQL
//   users ── rush ──▶ node 2 ── relay 2 ──┘
//
// A user always asks the same node, as a gateway would have it. A node keeps its ports and its data directory when it is
// started again.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "../../servers/postgres_server.h"
#include "../../servers/redis_server.h"
#include "../../servers/relay.h"
#include "rush.h"
#include "server.h"

namespace stampede::e2e {

struct ClusterOptions {
  size_t nodes = 2;
  std::string catalog;  // of every node
  int64_t ledger_timeout_ms = 300;
  servers::RedisOptions redis = {};
  std::string ledger = {};  // the same URL for all, instead of one through each node's relay
  std::vector<std::pair<std::string, std::string>> flags = {};  // of every node, further ones
  bool awaits_open = true;  // the ledger is open when the constructor returns
};

class Cluster {
 public:
  explicit Cluster(ClusterOptions options);
  Cluster(const Cluster&) = delete;

  size_t size() const { return nodes_.size(); }
  Server& node(size_t index) { return *nodes_.at(index); }
  servers::RedisServer& redis() { return redis_; }
  servers::Relay& relay(size_t index) { return *relays_.at(index); }
  void each_relay(const std::function<void(servers::Relay&)>& act);
  servers::PostgresServer& postgres() { return postgres_; }
  servers::PostgresClient database() const;
  std::string database_url() const { return postgres_.url(database_name_); }

  // What a node says of the ledger in /admin/status.
  Json ledger_of(size_t index) { return node(index).status()["ledger"]; }
  bool is_open(size_t index);
  // Until the ledger is open for all of them in the same epoch, which is returned.
  int64_t await_open(const std::vector<size_t>& nodes);
  int64_t await_open() { return await_open(all()); }
  // Redis as the nodes see it has moved.
  void redirect(uint16_t redis_port);

  // `stampede ledger SUBCOMMAND --ledger … [--db …] …`, straight to the Redis that the nodes are sent to.
  Finished ledger(const std::string& subcommand, Arguments arguments = {});

  // The node that a user asks, among `nodes`.
  size_t home_of(const std::string& user, const std::vector<size_t>& nodes) const;
  std::vector<size_t> all() const;
  std::vector<Outcome> rush(const std::vector<Ask>& asks) { return rush(asks, all()); }
  // Returns when everybody has a final answer.
  std::vector<Outcome> rush(const std::vector<Ask>& asks, const std::vector<size_t>& nodes,
                            std::atomic<size_t>* answered = nullptr);

  // One user after the other asks a node that cannot reach the ledger, until what it has leased is sold and one is told to
  // come again; the orders.
  std::vector<Outcome> buy_until_refused(size_t index, const std::string& prefix);

  // The oracle of every scenario, at rest: everybody heard something final and honest; who was told that he has an order has
  // exactly one row; nobody else has; the nodes' audits add up to the rows and to `total`. Nodes that are named run.
  void check(const std::vector<Outcome>& outcomes, int64_t total, const std::vector<size_t>& nodes,
             const std::string& item = "ticket");
  void check(const std::vector<Outcome>& outcomes, int64_t total) { check(outcomes, total, all()); }
  // The same, and demand was above supply: nothing is left.
  void check_sold_out(const std::vector<Outcome>& outcomes, int64_t total);
  int64_t sold_units(const std::string& item = "ticket");  // reserved or paid, as the rows say

 private:
  ServerOptions options_of(const ClusterOptions& options, size_t index);

  servers::PostgresServer& postgres_ = servers::PostgresServer::shared();
  const std::string database_name_ = postgres_.create_database();
  servers::RedisServer redis_;
  uint16_t redis_port_;  // where the relays go
  std::string ledger_;   // the URL for all; empty: through the relays
  std::vector<std::unique_ptr<servers::Relay>> relays_;
  std::vector<std::unique_ptr<Server>> nodes_;
};

// A rush in the background, while the test makes trouble: processes must be started by the thread that will outlive them.
class BackgroundRush {
 public:
  BackgroundRush(Cluster& cluster, std::vector<Ask> asks);
  BackgroundRush(Cluster& cluster, std::vector<Ask> asks, std::vector<size_t> nodes);
  ~BackgroundRush();
  BackgroundRush(const BackgroundRush&) = delete;

  // Until so many answers have come, refusals that ask to try again included; or the rush is over.
  void await_answers(size_t count);
  size_t answers() const { return answers_; }
  bool is_over() const { return is_over_; }
  std::vector<Outcome> finish();

 private:
  std::atomic<size_t> answers_{0};
  std::atomic<bool> is_over_{false};
  std::vector<Outcome> outcomes_;
  std::thread thread_;
};

}  // namespace stampede::e2e
