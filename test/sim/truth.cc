#include "truth.h"

#include <algorithm>

#include "bounds.h"

#include "node/data.h"
#include "world_terms.h"

namespace stampede::sim {

Truth::Truth(const Plan& plan, Servers& servers, History& history)
    : plan_(plan),
      servers_(servers),
      history_(history),
      items_(plan.items),
      network_blocked_ns_(plan.nodes, INT64_MAX),
      key_gone_ns_(plan.nodes, INT64_MAX) {
  for (Item& item : items_) {
    item.by_node.resize(plan.nodes);
    item.paused_ns.assign(plan.nodes, INT64_MAX);
  }
}

// Of nodes that share it: as the registry has it. Who sells alone first has it in its log.
uint64_t Truth::supply_of(uint32_t number, Host& host) const {
  if (plan_.nodes > 1) {
    const auto& rows = servers_.registry.rows.items;
    const auto row = rows.find(item_code(number));
    if (row != rows.end()) return row->second.supplied - row->second.withdrawn;
  }
  const auto& registered = host.node().shard(0).state().items();
  return number < registered.size() ? registered[number].total() : 0;
}

void Truth::look(Host& host) {
  for (uint32_t number = 0; number < items_.size(); ++number) look_at_item(number, host);
}

void Truth::look_at_item(uint32_t number, Host& host) {
  Item& item = items_[number];
  Held& held = item.by_node[host.number()] = {};
  for (uint32_t i = 0; i < host.shards(); ++i) {
    const stock::ItemStock& stock = host.node().shard(i).state().stock(number);
    held.reserved += stock.reserved;
    held.paid += stock.paid;
  }
  item.supplied = supply_of(number, host);
  judge(number);
}

void Truth::judge(uint32_t number) {
  Item& item = items_[number];
  item.paid = 0;
  uint64_t taken = 0;
  for (const Held& of_node : item.by_node) {
    item.paid += of_node.paid;
    taken += of_node.reserved + of_node.paid;
  }
  item.lost = std::min(item.lost, taken - std::min(taken, item.supplied));
  item.supplied += item.lost;
  if (taken > item.supplied)
    return history_.broken("oversold: " + item_code(number) + " has " +
                           std::to_string(item.supplied) + " units, and " + std::to_string(taken) +
                           " are reserved or paid");
  const int64_t now_ns = servers_.clock.now().boot_ns;
  const uint64_t unsold = item.supplied - taken;
  if (unsold > item.unsold) item.came_back.push_back({now_ns, unsold - item.unsold});
  item.unsold = unsold;
  const uint64_t unknown = item.in_doubt + came_back_of_late(item, now_ns);
  const uint64_t on_sale = item.unsold - std::min(item.unsold, unknown);
  for (uint32_t quantity = 1; quantity <= kQuantityMax; ++quantity)
    if (on_sale < quantity) item.short_ns[quantity] = now_ns;
}

// The streams that do not hold a unit hear within that time that it has come back; until then it is free for its own alone. While
// another one is being sold, an answer may so be true of no moment as somebody sees it who sees both at once.
uint64_t Truth::came_back_of_late(Item& item, int64_t now_ns) const {
  const int64_t since_ns = now_ns - bounds::sold_out_valid_ms * kMillisecond;
  std::erase_if(item.came_back,
                [since_ns](const CameBack& units) { return units.at_ns < since_ns; });
  uint64_t units = 0;
  for (const CameBack& one : item.came_back) units += one.units;
  return units;
}

void Truth::note_loss(Host& host) {
  for (Item& item : items_) item.lost = UINT64_MAX;
  look(host);
}

void Truth::look_at_log(Host& host) {
  node::Data data(host.dir(), node::Data::Use::reading, host.machine());
  if (data.open() || data.restore()) return;
  for (Item& item : items_) item.by_node[host.number()] = {};
  for (const node::RestoredStream& stream : data.streams())
    for (uint32_t number = 0; number < items_.size(); ++number) {
      const stock::ItemStock& stock = stream.state->stock(number);
      items_[number].by_node[host.number()].reserved += stock.reserved;
      items_[number].by_node[host.number()].paid += stock.paid;
    }
  for (uint32_t number = 0; number < items_.size(); ++number) {
    items_[number].supplied = supply_of(number, host);
    judge(number);
  }
}

void Truth::note_absence() {
  for (Item& item : items_)
    for (int64_t& short_ns : item.short_ns) short_ns = servers_.clock.now().boot_ns;
}

void Truth::set_paused(uint32_t node, uint32_t item, bool is_paused) {
  items_[item].paused_ns[node] = is_paused ? servers_.clock.now().boot_ns : INT64_MAX;
}

bool Truth::is_paused_since(uint32_t node, uint32_t item, int64_t since_ns) const {
  return items_[item].paused_ns[node] <= since_ns;
}

void Truth::set_blocked(uint32_t node, const std::string& user, bool is_blocked) {
  blocked_ns_[{node, user}] = is_blocked ? servers_.clock.now().boot_ns : INT64_MAX;
}

bool Truth::is_blocked_since(uint32_t node, const std::string& user, int64_t since_ns) const {
  const auto found = blocked_ns_.find({node, user});
  return found != blocked_ns_.end() && found->second <= since_ns;
}

bool Truth::was_ever_blocked(const std::string& user) const {
  return std::ranges::any_of(blocked_ns_,
                             [&](const auto& entry) { return entry.first.second == user; });
}

void Truth::set_network_blocked(uint32_t node, bool is_blocked) {
  network_blocked_ns_[node] = is_blocked ? servers_.clock.now().boot_ns : INT64_MAX;
  was_network_blocked_ = true;
}

void Truth::note_key_gone(uint32_t node) {
  key_gone_ns_[node] = std::min(key_gone_ns_[node], servers_.clock.now().boot_ns);
}

void Truth::forget_blocks(uint32_t node) {
  network_blocked_ns_[node] = INT64_MAX;
  for (auto& [who, since_ns] : blocked_ns_)
    if (who.first == node) since_ns = INT64_MAX;
}

int64_t Truth::news_age_max_ns() const {
  constexpr MishapSet kHoldUpReports =
      bit_of(Mishap::redis_dies) | bit_of(Mishap::redis_fails_over) |
      bit_of(Mishap::redis_network) | bit_of(Mishap::freeze) | bit_of(Mishap::kill) |
      bit_of(Mishap::power_cut) | bit_of(Mishap::stop) | bit_of(Mishap::reshard) |
      bit_of(Mishap::slow_disk) | bit_of(Mishap::disk_full) | bit_of(Mishap::disk_error);
  const bool is_held_up = plan_.is_shared && (plan_.faults & kHoldUpReports) != 0;
  return is_held_up ? 20 * kSecond : bounds::sold_out_valid_ms * kMillisecond;
}

std::string Truth::describe(uint32_t number) const {
  const Item& item = items_[number];
  std::string words = item_code(number) + " has " + std::to_string(item.supplied) + " units";
  for (size_t i = 0; i < item.by_node.size(); ++i)
    words += "; node " + std::to_string(i) + ": " + std::to_string(item.by_node[i].reserved) +
             " reserved, " + std::to_string(item.by_node[i].paid) + " paid";
  for (uint32_t server = 0; server < servers_.redis.server_count(); ++server)
    for (const std::string& key : servers_.redis.store(server).keys())
      if (key.ends_with(":" + item_code(number))) {
        words += "\n    server " + std::to_string(server) + " " + key;
        for (const std::string& line : servers_.redis.store(server).contents(key))
          words += " " + line;
      }
  return words;
}

bool Truth::was_short_since(uint32_t item, uint32_t quantity, int64_t since_ns) const {
  return items_[item].short_ns[quantity] >= since_ns;
}

}  // namespace stampede::sim
