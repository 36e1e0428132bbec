// A real Redis Cluster of a few masters, whose slots a test may move, and to which it may add replicas: for MOVED, ASK,
// CLUSTERDOWN and failovers.
//
// Moving a slot by its steps shows clients every answer there is:
//
//   step            old owner                              new owner
//   (before)        serves                                 MOVED to the old
//   begin_move      serves what it has, ASK for the rest   serves only after ASKING
//   migrate_keys    ASK for all                            serves only after ASKING
//   finish_move     MOVED to the new                       serves
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "redis_server.h"

namespace stampede::servers {

// Used by the thread that made it, as RedisServer.
class RedisCluster {
 public:
  // Returns when every node calls the cluster ok, two seconds or more after their start. `options`
  // are those of each node.
  explicit RedisCluster(size_t node_count = 3, const RedisOptions& options = {});

  RedisServer& node(size_t index) { return *nodes_.at(index); }
  size_t size() const { return nodes_.size(); }
  std::string id(size_t index) { return node(index).command({"CLUSTER", "MYID"}).text; }
  int slot(const std::string& key);
  // The node that serves a slot, as `node(0)` knows it.
  size_t owner(int slot);

  // A further node, which follows a master and has all that it has; its index.
  size_t add_replica(size_t master);
  // The replica of a master that was killed becomes the master of its slots.
  void fail_over(size_t replica);

  void begin_move(int slot, size_t to);
  void migrate_keys(int slot, size_t to);
  void finish_move(int slot, size_t to);
  void move(int slot, size_t to);  // the three
  void await_ok();                 // cluster_state:ok on every node

 private:
  void add_node();
  void meet(size_t index);
  void join();

  const RedisOptions options_;
  std::vector<std::unique_ptr<RedisServer>> nodes_;
};

}  // namespace stampede::servers
