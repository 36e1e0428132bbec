// What becomes of the messages between a link and its server, from one moment to the next.
#include <algorithm>

#include "redis.h"
#include "redis_ways.h"

namespace stampede::sim {

bool RedisWorld::is_reachable(uint32_t node, uint32_t server) const {
  return !unreachable_.contains({node, server});
}

void RedisWorld::set_reachable(uint32_t node, uint32_t server, bool is_reachable) {
  if (is_reachable)
    unreachable_.erase({node, server});
  else
    unreachable_.insert({node, server});
}

// ---- Connections

void RedisWorld::open_wire(const std::shared_ptr<Wire>& wire) {
  std::erase_if(wires_, [](const std::weak_ptr<Wire>& each) { return each.expired(); });
  wires_.push_back(wire);
  at(now_ns() + delay_ns() + delay_ns(), [this, wire] { greet(wire); });
}

// The server has accepted. Where nothing arrives the link's owner gives up.
void RedisWorld::greet(const std::shared_ptr<Wire>& wire) {
  Server& server = *servers_[wire->server];
  if (wire->link == nullptr || !is_reachable(wire->node, wire->server)) return;
  if (server.is_paused) {
    server.held.emplace_back([this, wire] { greet(wire); });
    return;
  }
  wire->life = server.life;
  if (!server.is_running) return wire->link->on_end("Connection refused");
  if (!server.refused_scripts.empty()) return wire->link->on_end(server.refused_scripts);
  wire->link->on_up();
}

void RedisWorld::end(const std::shared_ptr<Wire>& wire, const std::string& why) {
  wire->is_silent = true;
  at(now_ns() + delay_ns(), [this, wire, why] {
    if (wire->link != nullptr && is_reachable(wire->node, wire->server)) wire->link->on_end(why);
  });
}

void RedisWorld::end_connections(uint32_t server) {
  for (const std::weak_ptr<Wire>& each : wires_)
    if (const auto wire = each.lock(); wire && wire->server == server && wire->life != 0)
      end(wire, "Server closed the connection");
}

// ---- Requests and replies

void RedisWorld::send(Request request) {
  Wire& wire = *request.wire;
  if (wire.is_silent) return;
  wire.is_silent = !is_reachable(wire.node, wire.server) || has_luck(weather.request_lost);
  if (wire.is_silent) return;
  if (has_luck(weather.connection_ended)) {
    if (has_luck(500)) return end(request.wire, "Connection reset by peer");
    request.ends_connection = true;
  }
  request.loses_reply = has_luck(weather.reply_lost);
  int64_t due_ns = now_ns() + delay_ns();
  if (has_luck(weather.request_late)) due_ns += between(0, weather.late_max_ns);
  wire.last_request_ns = std::max(wire.last_request_ns, due_ns);
  at(wire.last_request_ns, [this, request = std::move(request)] { arrive(request); });
}

void RedisWorld::arrive(const Request& request) {
  Wire& wire = *request.wire;
  Server& server = *servers_[wire.server];
  if (!is_reachable(wire.node, wire.server)) {
    wire.is_silent = true;
    return;
  }
  if (!server.is_running || server.life != wire.life)
    return end(request.wire, "Connection reset by peer");
  if (server.is_paused) {
    server.held.emplace_back([this, request] { arrive(request); });
    return;
  }
  Reply answer = has_luck(weather.slot_refused)
                     ? Reply::error("MOVED 1 10.0.0.0:6379")
                     : run(wire.server, request.script, request.group, request.arguments);
  if (request.ends_connection) return end(request.wire, "Server closed the connection");
  reply(request, std::move(answer));
}

void RedisWorld::reply(const Request& request, Reply reply) {
  Wire& wire = *request.wire;
  wire.has_silent_reply |= request.loses_reply;
  if (wire.has_silent_reply) return;
  wire.last_reply_ns = std::max(wire.last_reply_ns, now_ns() + delay_ns());
  at(wire.last_reply_ns, [this, request, reply = std::move(reply)] {
    Wire& its_wire = *request.wire;
    its_wire.has_silent_reply |= !is_reachable(its_wire.node, its_wire.server);
    if (its_wire.link != nullptr && !its_wire.has_silent_reply)
      its_wire.link->on_reply(request.script, request.group, request.number, reply);
  });
}

}  // namespace stampede::sim
