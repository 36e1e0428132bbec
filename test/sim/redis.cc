// The servers, and what happens when. The network is in redis_network.cc, what nodes have of it in redis_ways.cc.
#include "redis.h"

#include <algorithm>

#include "base/check.h"

namespace stampede::sim {
namespace {

constexpr uint16_t kPort = 6379;
constexpr std::string_view kHost = "10.0.0.";

}  // namespace

RedisWorld::RedisWorld(uint64_t seed, Clock& clock)
    : clock_(clock), random_(seed), order_seed_(random_.next()) {}

RedisWorld::~RedisWorld() = default;

// ---- Chance and time

int64_t RedisWorld::between(int64_t least, int64_t most) {
  return least + static_cast<int64_t>(random_.below(static_cast<uint64_t>(most - least + 1)));
}

std::string RedisWorld::new_identity() {
  std::string identity;
  while (identity.size() < 40) identity += "0123456789abcdef"[random_.below(16)];
  return identity;
}

void RedisWorld::at(int64_t due_ns, std::function<void()> happen) {
  events_.push({.due_ns = due_ns,
                .number = ++events_made_,
                .happen = std::make_shared<std::function<void()>>(std::move(happen))});
}

int64_t RedisWorld::next_due_ns() const {
  return events_.empty() ? std::numeric_limits<int64_t>::max() : events_.top().due_ns;
}

void RedisWorld::deliver() {
  while (next_due_ns() <= now_ns()) {
    const auto happen = events_.top().happen;
    events_.pop();
    (*happen)();
  }
}

// ---- Servers

uint32_t RedisWorld::add_master() {
  const auto number = static_cast<uint32_t>(servers_.size());
  servers_.push_back(std::make_unique<Server>());
  servers_.back()->store = RedisStore(order_seed_);
  servers_.back()->identity = new_identity();
  if (number == 0) appoint(0);
  return number;
}

uint32_t RedisWorld::add_replica(uint32_t master) {
  const uint32_t number = add_master();
  follow(number, master);
  return number;
}

void RedisWorld::kill(uint32_t number) {
  Server& server = *servers_[number];
  server.is_running = server.is_paused = false;
  ++server.life;
  ++server.stream;
  server.held.clear();
  for (const auto& other : servers_)
    if (!other->is_master && other->master == number) ++other->stream;
  end_connections(number);
}

void RedisWorld::restart(uint32_t number, Contents contents) {
  if (is_running(number)) kill(number);
  Server& server = *servers_[number];
  server.is_running = true;
  server.identity = new_identity();
  if (contents == Contents::none) server.store.clear();
  if (contents == Contents::old_copy) server.store = server.copy;
  if (server.is_master) return copy_to_replicas(number);
  if (is_running(server.master)) server.store = store(server.master);
}

void RedisWorld::pause(uint32_t number) {
  CHECK(is_running(number));
  servers_[number]->is_paused = true;
}

void RedisWorld::resume(uint32_t number) {
  servers_[number]->is_paused = false;
  for (const auto& happen : std::exchange(servers_[number]->held, {})) happen();
}

void RedisWorld::save_copy(uint32_t number) {
  servers_[number]->copy = servers_[number]->store;
}

void RedisWorld::empty(uint32_t number) {
  servers_[number]->store.clear();
  copy_to_replicas(number);
}

void RedisWorld::promote(uint32_t number) {
  Server& server = *servers_[number];
  if (server.is_master) return;
  server.is_master = true;
  server.identity = new_identity();
  ++server.stream;
}

void RedisWorld::follow(uint32_t number, uint32_t master) {
  CHECK(number != master);
  Server& server = *servers_[number];
  server.is_master = false;
  server.master = master;
  ++server.stream;
  if (is_running(master)) server.store = store(master);
  end_connections(number);
}

void RedisWorld::refuse_writes(uint32_t number, std::string error) {
  servers_[number]->refused_writes = std::move(error);
}

void RedisWorld::refuse_scripts(uint32_t number, std::string error) {
  servers_[number]->refused_scripts = std::move(error);
}

// What reached a replica before arrives no more: it has all of this.
void RedisWorld::copy_to_replicas(uint32_t master) {
  for (const auto& server : servers_) {
    if (server->is_master || server->master != master || !server->is_running) continue;
    ++server->stream;
    server->store = store(master);
  }
}

void RedisWorld::replicate(uint32_t master, std::vector<Words> effects) {
  const auto sent = std::make_shared<const std::vector<Words>>(std::move(effects));
  for (const auto& each : servers_) {
    Server* const server = each.get();
    if (server->is_master || server->master != master || !server->is_running) continue;
    server->last_effect_ns = std::max(server->last_effect_ns,
                                      now_ns() + between(weather.lag_min_ns, weather.lag_max_ns));
    const auto take = [server, sent, stream = server->stream] {
      if (server->stream == stream) server->store.apply(*sent);
    };
    at(server->last_effect_ns, [server, take] {
      if (server->is_paused)
        server->held.emplace_back(take);
      else
        take();
    });
  }
}

std::string RedisWorld::info_of(const Server& server) const {
  const std::string& identity =
      server.is_master ? server.identity : servers_[server.master]->identity;
  return std::string("# Replication\r\nrole:") + (server.is_master ? "master" : "slave") +
         "\r\nmaster_replid:" + identity + "\r\n";
}

Reply RedisWorld::run(uint32_t number, cluster::Script script, uint32_t group,
                      const Words& arguments) {
  Server& server = *servers_[number];
  CHECK(server.is_running);
  if (!server.refused_scripts.empty()) return Reply::error(server.refused_scripts);
  ScriptHost host{.store = server.store,
                  .info = info_of(server),
                  .refused_writes = server.is_master
                                        ? server.refused_writes
                                        : "READONLY You can't write against a read only replica."};
  Reply reply = engine_.run(script, std::string(cluster::state_key(group)), arguments, host);
  if (!host.effects.empty()) replicate(number, std::move(host.effects));
  if (on_run) on_run(number, script, group, arguments, reply);
  return reply;
}

// ---- Who is told what

void RedisWorld::appoint(uint32_t server, uint32_t group, uint32_t node) {
  std::erase_if(appointed_, [&](const auto& entry) {
    const auto& [of_node, of_group] = entry.first;
    return (node == kEverybody || node == of_node) && (group == kEverybody || group == of_group);
  });
  appointed_[{node, group}] = server;
}

// What was said of this node or this group alone comes before what was said of all.
uint32_t RedisWorld::appointed(uint32_t node, uint32_t group) const {
  for (const auto& key : {std::pair(node, group), std::pair(node, kEverybody),
                          std::pair(kEverybody, group), std::pair(kEverybody, kEverybody)})
    if (const auto found = appointed_.find(key); found != appointed_.end()) return found->second;
  return kNobody;
}

cluster::RedisServer RedisWorld::address_of(uint32_t server) const {
  return {.address = {.host = std::string(kHost) + std::to_string(server + 1), .port = kPort}};
}

uint32_t RedisWorld::server_at(const cluster::RedisServer& address) const {
  for (uint32_t server = 0; server < servers_.size(); ++server)
    if (address_of(server).address == address.address) return server;
  fatal(kExitFailure, "no simulated server has the address %s", address.address.host.c_str());
}

std::unique_ptr<NodeRedis> RedisWorld::make_access(uint32_t node) {
  return std::make_unique<NodeRedis>(*this, node);
}

}  // namespace stampede::sim
