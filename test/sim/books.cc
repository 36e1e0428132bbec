#include "books.h"

#include <algorithm>
#include <fstream>
#include <optional>
#include <set>

#include "../world/buyer.h"
#include "node/data.h"
#include "orderlog/reader.h"
#include "orderlog/verification.h"

namespace stampede::sim {
namespace {

constexpr uint32_t kOrderCells = 8'000;

void add_states(const stock::StreamState& state, KnownStates& known) {
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
  for (const node::RestoredStream& stream : data.streams()) add_states(*stream.state, known);
  return true;
}

std::vector<uint64_t> orders_in(const orderlog::Batch& batch) {
  std::vector<uint64_t> orders;
  batch.for_each([&](Lsn, const orderlog::Record& record) {
    std::visit(
        [&](const auto& each) {
          if constexpr (requires { each.order.value; }) orders.push_back(each.order.value);
        },
        record);
  });
  return orders;
}

struct Money {
  uint32_t paid = 0;  // times
  int64_t refund_due = 0;
};

std::optional<std::map<uint64_t, Money>> money_in(drain::DatabaseReader& reader) {
  std::map<uint64_t, Money> money;
  for (std::string order, payment;;) {
    const Result<std::vector<drain::StoredPayment>> page =
        reader.payments_after(order, payment, 100);
    if (!page) return std::nullopt;
    if (page->empty()) return money;
    for (const drain::StoredPayment& row : *page) {
      Money& of_order = money[world::order_number(row.order_id)];
      of_order.paid += row.outcome == "paid" || row.outcome == "late_paid" ? 1 : 0;
      of_order.refund_due += row.outcome == "refund_due" ? row.amount : 0;
    }
    order = page->back().order_id;
    payment = page->back().payment_id;
  }
}

// What its tables say of each other.
void check_tables(drain::DatabaseReader& reader, const KnownStates& rows, History& history) {
  const auto money = money_in(reader);
  const auto totals = reader.order_totals("");
  const auto rejects = reader.rejects_after(0, 10);
  if (!money || !totals || !rejects) return history.broken("a table cannot be read");
  if (!rejects->empty()) history.broken("a row was rejected: " + rejects->front().reason);
  uint64_t orders = 0;
  for (const drain::OrderTotal& total : *totals) orders += total.orders;
  if (orders != rows.size())
    history.broken("the totals have " + std::to_string(orders) + " orders of " +
                   std::to_string(rows.size()));
  for (const auto& [id, row] : rows) {
    const auto found = money->find(id);
    const Money of_order = found == money->end() ? Money{} : found->second;
    const bool is_right =
        of_order.paid == (row.state == "paid" ? 1 : 0) && of_order.refund_due == row.refund_due;
    if (!is_right && !history.is_lost(id))
      history.broken("order " + std::to_string(id) + ", " + row.state + " with " +
                     std::to_string(row.refund_due) + " to refund, was paid " +
                     std::to_string(of_order.paid) + " times, and " +
                     std::to_string(of_order.refund_due) + " came beside it");
  }
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
    if (page->empty()) {
      check_tables(**reader, rows, history);
      return rows;
    }
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

std::vector<uint64_t> LogContents::orders_behind(const std::string& path, uint64_t offset) const {
  std::vector<uint64_t> behind;
  for (const std::vector<Batch>& batches : streams) {
    bool is_behind = false;
    for (const Batch& batch : batches) {
      is_behind |= batch.path == path && batch.end > offset;
      if (is_behind) behind.insert(behind.end(), batch.orders.begin(), batch.orders.end());
    }
  }
  return behind;
}

std::optional<LogContents> read_log(Host& host) {
  node::Data data(host.dir(), node::Data::Use::reading, host.machine());
  if (data.open() || data.restore(kOrderCells)) return std::nullopt;
  LogContents contents;
  for (uint32_t i = 0; i < data.stream_count(); ++i) {
    const node::RestoredStream& stream = data.streams()[i];
    add_states(*stream.state, contents.states);
    std::vector<LogContents::Batch>& batches = contents.streams.emplace_back();
    orderlog::Reader reader(data.files(i), stream.start);
    for (;;) {
      const Result<std::optional<orderlog::Batch>> batch = reader.next(stream.report.last_lsn);
      if (!batch) return std::nullopt;
      if (!*batch) break;
      const orderlog::Position after = (*batch)->position_after();
      const uint32_t segment = (*batch)->segment();
      batches.push_back({.path = data.files(i).segment_path(segment),
                         .end = after.segment == segment ? after.offset : UINT64_MAX,
                         .orders = orders_in(**batch)});
    }
  }
  return contents;
}

void add_orders(Host& host, KnownStates& known) {
  if (host.has_left()) known.insert(host.left_orders().begin(), host.left_orders().end());
  for (uint32_t i = 0; !host.has_left() && i < host.shards(); ++i)
    add_states(host.node().shard(i).state(), known);
}

KnownStates states_in_memory(const Hosts& hosts) {
  KnownStates known;
  for (const auto& host : hosts) add_orders(*host, known);
  return known;
}

void check_loss(Host& host, const std::string& behind_what, const LogContents& before,
                const std::vector<uint64_t>& losable, History& history) {
  const std::set<uint64_t> may_be_gone(losable.begin(), losable.end());
  KnownStates known;
  add_orders(host, known);
  bool has_lost = false;
  for (const auto& [id, was] : before.states) {
    const auto found = known.find(id);
    const bool is_less = found == known.end() ||
                         (found->second.state == "reserved" && was.state != "reserved") ||
                         found->second.refund_due < was.refund_due;
    has_lost |= is_less;
    if (is_less && !may_be_gone.contains(id))
      history.broken("with " + behind_what + " and --accept-loss a node starts without order " +
                     std::to_string(id) + ", " + was.state + ", which lies in front of it");
  }
  for (const stock::RegisteredItem& item : host.node().shard(0).state().items())
    if (has_lost && !item.terms.is_paused)
      history.broken("with " + behind_what + " orders are lost and accepted, and " +
                     std::string(item.terms.code.view()) + " is not paused");
}

void check_acknowledged(Host& host, const std::string& behind_what, History& history) {
  KnownStates known;
  add_orders(host, known);
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
  std::optional<KnownStates> rows = states_in_database(servers, history);
  if (!rows) return;
  // Of what was lost the database may have what the log does not.
  const auto is_lost = [&](const auto& entry) { return history.is_lost(entry.first); };
  KnownStates certain = known;
  std::erase_if(certain, is_lost);
  std::erase_if(*rows, is_lost);
  if (*rows != certain)
    history.broken("the database differs from the nodes: " + difference(certain, *rows));
}

void check_drained(Host& host, Servers& servers, History& history) {
  if (!servers.database.open_reader()) return;
  const std::optional<KnownStates> rows = states_in_database(servers, history);
  if (!rows) return;
  KnownStates known;
  add_orders(host, known);
  for (const auto& [id, row] : *rows) {
    if (OrderId{id}.node() != host.number() || history.is_lost(id)) continue;
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
    if (remembered.contains(id) || history.is_lost(id)) continue;
    const auto row = rows->find(id);
    if (row == rows->end() || !(row->second == state))
      history.broken("order " + std::to_string(id) + ", " + state.state +
                     ", is forgotten and the database does not have it");
  }
}

void verify_logs(const Hosts& hosts, History& history) {
  for (const auto& host : hosts) {
    if (host->has_lost()) continue;
    node::Data data(host->dir(), node::Data::Use::reading, host->machine());
    if (data.open()) return history.broken("a log cannot be opened behind a stop");
    Progress progress;
    for (uint32_t i = 0; i < data.stream_count(); ++i)
      if (const auto verified = orderlog::verify_stream(data.files(i), progress); !verified)
        history.broken("behind a stop " + verified.error().message);
  }
}

void check_access_log(const Host& host, History& history) {
  constexpr int64_t kWords = 9;
  std::ifstream file(host.access_log());
  for (std::string line; std::getline(file, line);)
    if (std::ranges::count(line, ' ') != kWords - 1 || !line.starts_with("20"))
      history.broken("a line of the access log says " + line);
}

void compare_logs(const Hosts& hosts, const KnownStates& known, History& history,
                  bool are_forgotten) {
  // Nobody could ask a node that has left once more.
  const auto is_excused = [&](const Told& told, const KnownState& logged) {
    const bool has_left = hosts[OrderId{world::order_number(told.id)}.node()]->has_left();
    return told.state == "reserved" || (has_left && History::may_follow(told.state, logged.state));
  };
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
    else if (found->second.state != told.state && !is_excused(told, found->second))
      history.broken("order " + id + " was " + told.state + " and is " + found->second.state +
                     " in the log");
  }
}

}  // namespace stampede::sim
