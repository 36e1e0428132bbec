// A node's two ways to the simulated servers: the link of a shard and the caller of its coordinator. Made by NodeRedis; no
// other file needs this.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "redis.h"

namespace stampede::sim {

class SimulatedLink final : public cluster::ScriptLink {
 public:
  SimulatedLink(NodeRedis& redis, net::Net& net, uint64_t token, Owner& owner)
      : ScriptLink(token, owner), redis_(redis), net_(net) {}
  ~SimulatedLink() override;

  void connect(const cluster::RedisServer& server) override;
  void close(std::string_view why) override;
  void call(cluster::Script script, uint32_t group, uint64_t number,
            std::span<const std::string_view> arguments) override;
  void flush() override;
  void on_event(const net::Event&) override {}  // what comes is brought by RedisWorld::deliver()

  // ---- the network's
  void on_up();
  void on_end(const std::string& why);
  void on_reply(cluster::Script script, uint32_t group, uint64_t number, const Reply& reply);

 private:
  void tell();

  NodeRedis& redis_;
  net::Net& net_;
  std::shared_ptr<RedisWorld::Wire> wire_;
  std::vector<RedisWorld::Request> unsent_;
};

class SimulatedCaller final : public cluster::ScriptCaller {
 public:
  SimulatedCaller(NodeRedis& redis, uint32_t group_count, int64_t timeout_ms);

  uint32_t group_count() const override { return static_cast<uint32_t>(servers_.size()); }
  Status connect() override;
  void disconnect() override;
  void disconnect(uint32_t group) override;
  bool is_connected(uint32_t group) const override;
  const std::vector<cluster::RedisServer>& servers() const override { return servers_; }
  bool has_moved() override;
  Result<cluster::RedisValue> call(uint32_t group, cluster::Script script,
                                   const std::vector<std::string>& arguments) override;
  void interrupt() override {}  // nothing here waits in real time

 private:
  bool is_placed(uint32_t group) const { return (unplaced_ >> group & 1) == 0; }
  Status open(uint32_t server);
  Error named(uint32_t server, const std::string& what) const;
  Error lose(uint32_t group, const std::string& why);
  bool waits_in_vain();
  void run_late(uint32_t server, RedisWorld::Request request);

  NodeRedis& redis_;
  RedisWorld& world_;
  const int64_t timeout_ns_;
  std::vector<cluster::RedisServer> servers_;  // by group
  std::vector<uint32_t> numbers_;              // of these servers
  uint32_t unplaced_ = ~uint32_t{0};           // groups whose master must be asked for, a bit each
  std::map<uint32_t, uint64_t> connected_;     // by server: its life
};

}  // namespace stampede::sim
