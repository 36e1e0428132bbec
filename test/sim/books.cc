#include "books.h"

#include <optional>

#include "../world/buyer.h"
#include "node/data.h"

namespace stampede::sim {
namespace {

constexpr uint32_t kOrderCells = 8'000;

void add_orders(const stock::StreamState& state, KnownStates& known) {
  for (uint32_t i = 0; i < state.orders_touched(); ++i) {
    const stock::Order& order = state.order(i);
    if (order.is_live)
      known[order.id.value] = {std::string(name_of(order.state)), order.quantity, order.refund_due};
  }
}

bool add_log(Host& host, KnownStates& known, History& history) {
  node::Data data(host.dir(), node::Data::Use::reading, host.machine());
  node::MayEnd end = data.open();
  if (!end) end = data.restore(kOrderCells);
  if (end) history.broken("a log cannot be read behind a stop: " + end->message);
  if (end) return false;
  for (const node::RestoredStream& stream : data.streams()) add_orders(*stream.state, known);
  return true;
}

std::optional<KnownStates> states_in_database(Servers& servers, History& history) {
  Result<std::unique_ptr<drain::DatabaseReader>> reader = servers.database.open_reader();
  if (!reader) {
    history.broken("the database cannot be read: " + reader.error().message);
    return std::nullopt;
  }
  KnownStates rows;
  for (std::string last;;) {
    const Result<std::vector<drain::StoredOrder>> page = (*reader)->orders_after(last, 1'000);
    if (!page) {
      history.broken("rows cannot be read: " + page.error().message);
      return std::nullopt;
    }
    if (page->empty()) return rows;
    for (const drain::StoredOrder& row : *page)
      rows[world::order_number(row.order_id)] = {row.state, static_cast<uint32_t>(row.qty),
                                                 row.refund_due};
    last = page->back().order_id;
  }
}

// The first order about which the two differ.
std::string difference(const KnownStates& one, const KnownStates& other) {
  for (const auto& [id, state] : one) {
    const auto found = other.find(id);
    if (found == other.end()) return std::to_string(id) + ", " + state.state + ", is missing";
    if (!(found->second == state))
      return std::to_string(id) + " is " + state.state + " and " + found->second.state;
  }
  return std::to_string(other.size() - one.size()) + " more";
}

}  // namespace

KnownStates states_in_memory(const Hosts& hosts) {
  KnownStates known;
  for (const auto& host : hosts)
    for (uint32_t i = 0; i < host->shards(); ++i) add_orders(host->node().shard(i).state(), known);
  return known;
}

void check_acknowledged(Host& host, const std::string& behind_what, History& history) {
  KnownStates known;
  for (uint32_t i = 0; i < host.shards(); ++i) add_orders(host.node().shard(i).state(), known);
  for (const auto& [id, told] : history.orders()) {
    const OrderId order{world::order_number(id)};
    if (order.node() != host.number()) continue;
    const auto found = known.find(order.value);
    if (found == known.end())
      history.broken("with " + behind_what + " a node starts without the acknowledged order " + id);
    else if (found->second.state == "reserved" && told.state != "reserved")
      history.broken("with " + behind_what + " a node starts with order " + id +
                     " reserved, which was " + told.state);
  }
}

void compare_database(Servers& servers, const KnownStates& known, History& history) {
  const std::optional<KnownStates> rows = states_in_database(servers, history);
  if (rows && *rows != known)
    history.broken("the database differs from the nodes: " + difference(known, *rows));
}

void check_drained(Host& host, Servers& servers, History& history) {
  if (!servers.database.open_reader()) return;
  const std::optional<KnownStates> rows = states_in_database(servers, history);
  if (!rows) return;
  KnownStates known;
  for (uint32_t i = 0; i < host.shards(); ++i) add_orders(host.node().shard(i).state(), known);
  for (const auto& [id, row] : *rows) {
    if (OrderId{id}.node() != host.number()) continue;
    const auto found = known.find(id);
    if (found == known.end() || (found->second.state == "reserved" && row.state != "reserved"))
      history.broken("with an older copy a node starts without order " + std::to_string(id) +
                     " as the database has it, " + row.state);
  }
}

void check_forgotten(const Hosts& hosts, Servers& servers, const KnownStates& known,
                     History& history) {
  const std::optional<KnownStates> rows = states_in_database(servers, history);
  if (!rows) return;
  const KnownStates remembered = states_in_memory(hosts);
  for (const auto& [id, state] : known) {
    if (remembered.contains(id)) continue;
    const auto row = rows->find(id);
    if (row == rows->end() || !(row->second == state))
      history.broken("order " + std::to_string(id) + ", " + state.state +
                     ", is forgotten and the database does not have it");
  }
}

void compare_logs(const Hosts& hosts, const KnownStates& known, History& history,
                  bool are_forgotten) {
  KnownStates logged;
  for (const auto& host : hosts)
    if (!add_log(*host, logged, history)) return;
  if (logged != known)
    history.broken("the logs differ from the nodes: " + difference(known, logged));
  if (are_forgotten) return;
  for (const auto& [id, told] : history.orders()) {
    const auto found = logged.find(world::order_number(id));
    if (found == logged.end())
      history.broken("order " + id + " was acknowledged and is in no log");
    else if (found->second.state != told.state && told.state != "reserved")
      history.broken("order " + id + " was " + told.state + " and is " + found->second.state +
                     " in the log");
  }
}

}  // namespace stampede::sim
