#include "cluster/redis_client.h"

#include <netdb.h>

#include <algorithm>
#include <charconv>

namespace stampede::cluster {
namespace {

// A numeric address, so that shards need not ask a name server.
Result<HostPort> resolved(const HostPort& server) {
  const addrinfo hints{
      .ai_flags = AI_ADDRCONFIG, .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
  addrinfo* found = nullptr;
  if (const int error = ::getaddrinfo(server.host.c_str(), nullptr, &hints, &found); error != 0)
    return Error{server.host + ": " + ::gai_strerror(error)};
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> list(found, ::freeaddrinfo);
  char text[NI_MAXHOST];
  if (::getnameinfo(found->ai_addr, found->ai_addrlen, text, sizeof text, nullptr, 0,
                    NI_NUMERICHOST) != 0)
    return Error{server.host + ": has no address"};
  return HostPort{.host = text, .port = server.port};
}

}  // namespace

RedisClient::RedisClient(RedisUrl url, int64_t timeout_ms)
    : url_(std::move(url)), timeout_ms_(timeout_ms), servers_(url_.group_count()) {}

// ---- Where the masters are

Result<RedisClient::Servers> RedisClient::locate() {
  switch (url_.kind) {
    case RedisUrl::Kind::sentinel:
      return ask_hosts(&RedisClient::ask_sentinel);
    case RedisUrl::Kind::cluster:
      return ask_masters();
    case RedisUrl::Kind::single:
      break;
  }
  Result<RedisServer> server = server_at(url_.hosts.front().host, url_.hosts.front().port);
  if (!server) return server.error();
  return Servers{*server};
}

Result<RedisServer> RedisClient::server_at(const std::string& host, uint16_t port) const {
  Result<HostPort> address = resolved({.host = host, .port = port});
  if (!address) return address.error();
  return RedisServer{
      .address = *address, .user = url_.user, .password = url_.password, .database = url_.database};
}

// A master that is connected answers, and knows the cluster as well as the hosts of the URL, which may all be gone by now.
Result<RedisClient::Servers> RedisClient::ask_masters() {
  for (size_t at = 0; at < connections_.size();) {
    Result<Servers> answer = ask_cluster(*connections_[at]);
    if (answer) return answer;
    if (connections_[at]->is_broken())
      connections_.erase(connections_.begin() + static_cast<ptrdiff_t>(at));
    else
      ++at;
  }
  return ask_hosts(&RedisClient::ask_cluster);
}

// The first of the hosts that answers decides; one that is down or does not know is passed over.
Result<RedisClient::Servers> RedisClient::ask_hosts(
    Result<Servers> (RedisClient::*ask_one)(RedisConnection&)) {
  std::string problem;
  for (const HostPort& host : url_.hosts) {
    const bool is_sentinel = url_.kind == RedisUrl::Kind::sentinel;
    const RedisServer asked{.address = host,
                            .user = is_sentinel ? url_.sentinel_user : url_.user,
                            .password = is_sentinel ? url_.sentinel_password : url_.password};
    Result<std::unique_ptr<RedisConnection>> connection =
        RedisConnection::open(asked, timeout_ms_, interruption_);
    if (!connection) {
      problem = connection.error().message;
      continue;
    }
    Status greeted = (*connection)->greet();
    Result<Servers> answer = greeted ? (this->*ask_one)(**connection) : greeted.error();
    if (answer) return answer;
    problem = (*connection)->named(answer.error().message).message;
  }
  return Error{"nobody can say where the ledger's master is; the last one asked, " + problem};
}

Result<RedisClient::Servers> RedisClient::ask_sentinel(RedisConnection& sentinel) {
  Result<RedisValue> answer =
      sentinel.command({"SENTINEL", "GET-MASTER-ADDR-BY-NAME", url_.master});
  if (!answer && answer.error().message.starts_with("ERR unknown command"))
    return Error{"is no Sentinel: name one, or use redis://"};
  if (!answer && answer.error().message.starts_with("NOAUTH") && url_.sentinel_password.empty())
    return Error{"wants a password of its own: redis+sentinel://…/" + url_.master +
                 "?sentinel_password=…"};
  if (!answer) return answer.error();
  if (answer->values.size() != 2) return Error{"knows no master named " + url_.master};
  Result<RedisServer> server =
      server_at(answer->values[0].text, static_cast<uint16_t>(answer->values[1].integer));
  if (!server) return server.error();
  return Servers{*server};
}

Result<RedisClient::Servers> RedisClient::ask_cluster(RedisConnection& node) {
  while (slots_.size() < group_count()) {
    const auto group = static_cast<uint32_t>(slots_.size());
    Result<RedisValue> slot = node.command({"CLUSTER", "KEYSLOT", std::string(state_key(group))});
    if (!slot && slot.error().message.find("cluster support disabled") != std::string::npos)
      return Error{"belongs to no Redis Cluster: use redis://"};
    if (!slot && slot.error().message.starts_with("ERR unknown command"))
      return Error{"belongs to no Redis Cluster; if it is a Sentinel, use redis+sentinel://"};
    if (!slot) return slot.error();
    slots_.push_back(slot->integer);
  }
  Result<RedisValue> ranges = node.command({"CLUSTER", "SLOTS"});
  if (!ranges) return ranges.error();
  Servers servers;
  for (const int64_t slot : slots_) {
    const auto range =
        std::find_if(ranges->values.begin(), ranges->values.end(), [&](const RedisValue& each) {
          return each.values.size() >= 3 && each.values[2].values.size() >= 2 &&
                 slot >= each.values[0].integer && slot <= each.values[1].integer;
        });
    if (range == ranges->values.end())
      return Error{"no master of the cluster serves slot " + std::to_string(slot)};
    const std::vector<RedisValue>& master = range->values[2].values;
    // A node that does not know its own name leaves it out.
    const std::string& host = master[0].text.empty() ? node.server().address.host : master[0].text;
    Result<RedisServer> server = server_at(host, static_cast<uint16_t>(master[1].integer));
    if (!server) return server.error();
    servers.push_back(*server);
  }
  return servers;
}

bool RedisClient::has_moved() {
  if (url_.kind == RedisUrl::Kind::single || unplaced_ != 0) return false;
  Result<Servers> now = locate();
  if (!now) return false;
  for (uint32_t group = 0; group < group_count(); ++group) {
    // The cluster names the new server of a moving slot only when the slot has arrived there.
    const bool is_same = servers_[group].address == (*now)[group].address;
    if (is_same == servers_[group].is_asking) return true;
  }
  return false;
}

// ---- Connections

Status RedisClient::connect() {
  if (is_connected()) return Ok{};
  Result<Servers> servers = locate();
  if (!servers) return servers.error();
  for (uint32_t group = 0; group < group_count(); ++group)
    if (!is_connected(group)) servers_[group] = (*servers)[group];
  unplaced_ = 0;
  Status problem = Ok{};
  Servers failed;
  for (uint32_t group = 0; group < group_count(); ++group) {
    if (is_connected(group) ||
        std::find(failed.begin(), failed.end(), servers_[group]) != failed.end())
      continue;
    Status opened = open(group);
    if (opened) continue;
    failed.push_back(servers_[group]);
    if (problem) problem = opened;
  }
  std::erase_if(connections_, [&](const auto& connection) {
    return std::find(servers_.begin(), servers_.end(), connection->server()) == servers_.end();
  });
  return problem;
}

Status RedisClient::open(uint32_t group) {
  Result<std::unique_ptr<RedisConnection>> connection =
      RedisConnection::open(servers_[group], timeout_ms_, interruption_);
  if (!connection) return connection.error();
  Status status = (*connection)->greet();
  if (status) status = (*connection)->check(url_.kind == RedisUrl::Kind::cluster);
  if (!status) return (*connection)->named(status.error().message);
  connections_.push_back(std::move(*connection));
  return Ok{};
}

void RedisClient::disconnect() {
  connections_.clear();
  unplaced_ = ~uint32_t{0};
}

void RedisClient::disconnect(uint32_t group) {
  std::erase_if(connections_,
                [&](const auto& connection) { return connection->server() == servers_[group]; });
  unplaced_ |= uint32_t{1} << group;
}

RedisConnection* RedisClient::connection_of(uint32_t group) const {
  for (const auto& connection : connections_)
    if (connection->server() == servers_[group]) return connection.get();
  return nullptr;
}

bool RedisClient::is_connected(uint32_t group) const {
  return (unplaced_ >> group & 1) == 0 && connection_of(group) != nullptr;
}

bool RedisClient::is_connected() const {
  for (uint32_t group = 0; group < group_count(); ++group)
    if (!is_connected(group)) return false;
  return true;
}

Result<RedisValue> RedisClient::call(uint32_t group, Script script,
                                     const std::vector<std::string>& arguments) {
  for (bool has_followed = false;; has_followed = true) {
    RedisConnection* const connection = is_connected(group) ? connection_of(group) : nullptr;
    if (connection == nullptr) return Error{"not connected"};
    Result<RedisValue> answer = connection->call(group, script, arguments);
    if (answer) return answer;
    if (!has_followed && follow(group, answer.error().message)) continue;
    const Error error = connection->named(answer.error().message);
    // An error that the server answers is the group's alone: a slot that has moved, a key that is not there yet.
    if (connection->is_broken())
      disconnect(group);
    else
      unplaced_ |= uint32_t{1} << group;
    return error;
  }
}

// "ASK 3999 127.0.0.1:6381"
bool RedisClient::follow(uint32_t group, const std::string& ask) {
  if (!ask.starts_with("ASK ")) return false;
  const size_t host = ask.find(' ', 4) + 1, colon = ask.rfind(':');
  if (host == 0 || colon == ask.npos || colon < host) return false;
  uint16_t port = 0;
  std::from_chars(ask.data() + colon + 1, ask.data() + ask.size(), port);
  std::string name = ask.substr(host, colon - host);
  if (name.empty()) name = servers_[group].address.host;
  Result<RedisServer> target = server_at(name, port);
  if (!target) return false;
  servers_[group] = *target;
  servers_[group].is_asking = true;
  return connection_of(group) != nullptr || bool(open(group));
}

}  // namespace stampede::cluster
