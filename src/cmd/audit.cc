// `stampede audit`: holds order logs, ledger and database against each other and names every order that differs.
//
// The logs are the truth. Each is restored read-only by recovery's own code; an embedded ledger follows from it (units held
// by all streams against units supplied), a shared one is read from its Redis; the database is read in one consistent
// state. Works beside running servers: rows that a drainer has not yet written are counted, not blamed. The logs of several nodes
// are given by one --data each; the counters of nodes without a --data are taken from the shared ledger.
#include <algorithm>
#include <cstdio>
#include <deque>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/clock.h"
#include "base/hex.h"
#include "base/progress.h"
#include "base/time_text.h"
#include "base/words.h"
#include "cluster/inspection.h"
#include "cluster/postgres_registry.h"
#include "cluster/redis_client.h"
#include "cmd/fail.h"
#include "cmd/flags.h"
#include "drain/database.h"
#include "node/data.h"

namespace stampede::cmd {
namespace {

constexpr size_t kRowsPerPage = 10'000;
constexpr int64_t kRedisTimeoutMs = 5'000;
constexpr Fail fail("audit");

struct Flags {
  std::vector<std::string> data;
  std::string ledger, db;
  uint64_t orders_max = 4'000'000;
  uint64_t differences_shown_max = 100;
};

struct Findings {
  uint64_t differences = 0, shown_max = 0;
  uint64_t orders = 0, rows = 0, pending = 0, rows_beyond_memory = 0, payments = 0;

  template <typename... Args>
  void differ(const char* format, Args... args) {
    if (++differences > shown_max) return;
    std::printf(format, args...);
    std::printf("\n");
  }
};

std::string time_text(int64_t wall_ms) {
  return std::string(TimeText(wall_ms).view());
}

std::string id_text(OrderId id) {
  return std::string(Hex64Text(id.value).view());
}

// ---- log against ledger ----

void audit_ledger(const node::Data& node, Findings& findings) {
  for (const stock::RegisteredItem& item : node.items()) {
    Units held = 0, reserved = 0, paid = 0, pool = 0;
    for (const node::RestoredStream& stream : node.streams()) {
      const stock::ItemStock& stock = stream.state->stock(item.terms.id);
      held += stock.accepted - stock.returned;
      reserved += stock.reserved;
      paid += stock.paid;
      pool += stock.pool();
    }
    const std::string code(item.terms.code.view());
    if (held > item.total())
      findings.differ("item %s: the logs hold %s of %s", code.c_str(),
                      counted(held, "unit").c_str(), grouped(item.total()).c_str());
    else
      std::printf("item %s: total %s = free %s + leased %s + reserved %s + paid %s\n", code.c_str(),
                  grouped(item.total()).c_str(), grouped(item.total() - held).c_str(),
                  grouped(pool).c_str(), grouped(reserved).c_str(), grouped(paid).c_str());
  }
}

// ---- logs against a shared ledger ----

// A stream's counters of an item in its log, against those in Redis. Redis may have granted units that never reached the
// log, and may not have got back yet all units that the log returned; never the other way round. While nodes run, the granted
// units are those that Redis has after the log was read, and the returned ones those that it had before.
void hold_stream(const std::string& stream, const std::string& item, const stock::ItemStock& log,
                 const cluster::StreamCounters& before, const cluster::StreamCounters& after,
                 Findings& findings) {
  const auto granted = static_cast<uint64_t>(after.granted),
             returned = static_cast<uint64_t>(before.returned);
  if (granted < log.accepted)
    findings.differ("item %s, stream %s: %s accepted in the log, %s granted by Redis", item.c_str(),
                    stream.c_str(), counted(log.accepted, "unit").c_str(),
                    grouped(granted).c_str());
  if (returned > log.returned)
    findings.differ("item %s, stream %s: %s returned in the log, %s come back in Redis",
                    item.c_str(), stream.c_str(), counted(log.returned, "unit").c_str(),
                    grouped(returned).c_str());
}

using Items = std::vector<cluster::ItemCounters>;

const cluster::ItemCounters* find(const Items& items, std::string_view code) {
  const auto at = std::find_if(items.begin(), items.end(), [&](const cluster::ItemCounters& item) {
    return item.item == code;
  });
  return at == items.end() ? nullptr : &*at;
}

// Zeros when there is nothing of the stream.
cluster::StreamCounters counters_of(const Items& items, std::string_view code,
                                    const std::string& stream) {
  if (const cluster::ItemCounters* const item = find(items, code); item != nullptr)
    for (const cluster::StreamCounters& counters : item->streams)
      if (counters.stream == stream) return counters;
  return {};
}

class SharedAudit {
 public:
  // The items in Redis before the logs were read, and after.
  SharedAudit(const std::deque<node::Data>& nodes, const Items& before, Items items,
              std::vector<cluster::Supply> supplies, Findings& findings)
      : nodes_(nodes),
        before_(before),
        items_(std::move(items)),
        supplies_(std::move(supplies)),
        findings_(findings) {}

  void run() {
    for (const cluster::ItemCounters& item : items_) hold_item(item);
    for (const node::Data& node : nodes_) hold_node(node);
    for (const cluster::Supply& supply : supplies_)
      if (find(items_, supply.item) == nullptr)
        findings_.differ("item %s: in the database, not in Redis", supply.item.c_str());
  }

 private:
  void hold_item(const cluster::ItemCounters& item) {
    int64_t held = item.withdrawn;
    for (const cluster::StreamCounters& stream : item.streams)
      held += stream.granted - stream.returned;
    if (held != item.held)
      findings_.differ("item %s: held units are %s in Redis, %s in its streams", item.item.c_str(),
                       grouped(item.held).c_str(), grouped(held).c_str());
    if (item.free() < 0)
      findings_.differ("item %s: held units are %s, those ever supplied %s", item.item.c_str(),
                       grouped(item.held).c_str(), grouped(item.supplied).c_str());
    for (const cluster::Supply& supply : supplies_)
      if (supply.item == item.item && (static_cast<int64_t>(supply.supplied) != item.supplied ||
                                       static_cast<int64_t>(supply.withdrawn) != item.withdrawn))
        findings_.differ(
            "item %s: supplied %s and withdrawn %s in the database, %s and %s in Redis",
            item.item.c_str(), grouped(supply.supplied).c_str(), grouped(supply.withdrawn).c_str(),
            grouped(item.supplied).c_str(), grouped(item.withdrawn).c_str());
    std::printf("item %s\n", cluster::text_of(item).c_str());
  }

  void hold_node(const node::Data& node) {
    for (uint32_t shard = 0; shard < node.streams().size(); ++shard) {
      const std::string name = std::to_string(node.manifest().node) + "." +
                               std::to_string(node.manifest().generation) + "." +
                               std::to_string(shard);
      const std::vector<stock::ItemStock>& stocks = node.streams()[shard].state->stocks();
      for (ItemId id = 0; id < stocks.size(); ++id) {
        if (stocks[id].accepted == 0) continue;
        const std::string code(node.code_of(id));
        hold_stream(name, code, stocks[id], counters_of(before_, code, name),
                    counters_of(items_, code, name), findings_);
      }
    }
  }

  const std::deque<node::Data>& nodes_;
  const Items& before_;
  Items items_;
  std::vector<cluster::Supply> supplies_;
  Findings& findings_;
};

Result<Items> read_shared(cluster::ScriptCaller& redis) {
  if (Status connected = redis.connect(); !connected) return connected.error();
  Result<cluster::EpochView> view = cluster::look_at_epoch(redis);
  if (!view) return view.error();
  if (view->state != cluster::EpochView::State::open)
    return Error{"the shared ledger is " + std::string(cluster::name_of(view->state)) +
                 ", so its counters prove nothing; see stampede ledger status"};
  return cluster::read_items(redis, view->epoch);
}

Status audit_shared(const std::deque<node::Data>& nodes, cluster::ScriptCaller& redis,
                    const Items& before, const drain::DatabaseUrl& database, Findings& findings) {
  Result<Items> items = read_shared(redis);
  if (!items) return items.error();
  std::vector<cluster::Supply> supplies;
  if (database.kind == drain::DatabaseUrl::Kind::postgres) {
    Result<std::vector<cluster::Supply>> known = cluster::PostgresRegistry(database.url).supplies();
    if (!known) return known.error();
    supplies = std::move(*known);
  }
  SharedAudit(nodes, before, std::move(*items), std::move(supplies), findings).run();
  return Ok{};
}

// ---- log against database ----

// The row that the database should have of an order; the fields that the log does not decide are taken from the row.
drain::StoredOrder expected_row(const node::Data& node, const stock::StreamState& state,
                                const stock::Order& order, const drain::StoredOrder& row) {
  drain::StoredOrder expected = row;
  expected.order_id = id_text(order.id);
  expected.item = node.code_of(state.item_of(order));
  expected.user_id = state.user_of(order);
  expected.qty = order.quantity;
  expected.amount = order.amount;
  expected.currency.assign(order.currency.data(), order.currency.size());
  expected.state = name_of(order.state);
  expected.created_at = time_text(order.created_ms);
  expected.pay_before = time_text(order.pay_before_ms());
  expected.payment_id.reset();
  for (uint32_t at = order.first_payment; at != kNone; at = state.payment(at).next) {
    const stock::DecidedPayment& payment = state.payment(at);
    const bool has_paid = payment.outcome == orderlog::RecordType::paid ||
                          payment.outcome == orderlog::RecordType::late_paid;
    if (has_paid) expected.payment_id = state.text(payment.id);
  }
  expected.refund_due = order.refund_due;
  return expected;
}

drain::StoredPayment expected_row(const stock::StreamState& state,
                                  const stock::DecidedPayment& payment, OrderId order) {
  return {.payment_id = std::string(state.text(payment.id)),
          .order_id = id_text(order),
          .amount = payment.amount,
          .currency = std::string(payment.currency.data(), payment.currency.size()),
          .outcome = std::string(orderlog::name_of(payment.outcome)),
          .received_at = time_text(payment.received_ms)};
}

struct Difference {
  const char* field = nullptr;  // null: none
  std::string log, database;
};

Difference first_difference(const drain::StoredOrder& log, const drain::StoredOrder& row) {
  if (log.item != row.item) return {"item", log.item, row.item};
  if (log.user_id != row.user_id) return {"user_id", log.user_id, row.user_id};
  if (log.qty != row.qty) return {"qty", std::to_string(log.qty), std::to_string(row.qty)};
  if (log.amount != row.amount)
    return {"amount", std::to_string(log.amount), std::to_string(row.amount)};
  if (log.currency != row.currency) return {"currency", log.currency, row.currency};
  if (log.state != row.state) return {"state", log.state, row.state};
  if (log.created_at != row.created_at) return {"created_at", log.created_at, row.created_at};
  if (log.pay_before != row.pay_before) return {"pay_before", log.pay_before, row.pay_before};
  if (log.refund_due != row.refund_due)
    return {"refund_due", std::to_string(log.refund_due), std::to_string(row.refund_due)};
  if (log.payment_id != row.payment_id)
    return {"payment_id", log.payment_id.value_or("none"), row.payment_id.value_or("none")};
  return {};
}

Difference first_difference(const drain::StoredPayment& log, const drain::StoredPayment& row) {
  if (log.amount != row.amount)
    return {"amount", std::to_string(log.amount), std::to_string(row.amount)};
  if (log.currency != row.currency) return {"currency", log.currency, row.currency};
  if (log.outcome != row.outcome) return {"outcome", log.outcome, row.outcome};
  if (log.received_at != row.received_at) return {"received_at", log.received_at, row.received_at};
  return {};
}

// The id that a row stands under; nullopt: no order has this text.
std::optional<OrderId> id_of(const std::string& text) {
  const std::optional<uint64_t> value = parse_hex64(text);
  if (!value || id_text(OrderId{*value}) != text) return std::nullopt;
  return OrderId{*value};
}

class DatabaseAudit {
 public:
  DatabaseAudit(const node::Data& node, drain::DatabaseReader& database, Findings& findings)
      : node_(node), database_(database), findings_(findings) {}

  Status run() {
    if (Status status = read_positions(); !status) return status;
    if (Status status = hold_rows(); !status) return status;
    if (Status status = hold_payments(); !status) return status;
    name_missing();
    return Ok{};
  }

 private:
  Status read_positions() {
    Result<std::vector<drain::StreamPosition>> positions = database_.positions();
    if (!positions) return positions.error();
    drained_.assign(node_.manifest().shard_count, std::nullopt);
    for (const drain::StreamPosition& position : *positions) {
      const StreamKey& key = position.stream;
      nodes_.insert(key.node);
      if (key.node == node_.manifest().node && key.generation == node_.manifest().generation &&
          key.shard < drained_.size())
        drained_[key.shard] = position.position.next_lsn - 1;
    }
    return Ok{};
  }

  // Orders of another node, whose own log is the truth of them.
  bool is_elsewhere(OrderId id) const {
    return id.node() != node_.manifest().node && nodes_.contains(id.node());
  }

  // Of a stream that the database does not have yet all orders are, also those that another number of shards dealt out to it:
  // their last records were another stream's.
  bool is_pending(const stock::Order& order) const {
    const std::optional<Lsn>& drained =
        drained_[shard_of_slot(order.id.slot(), node_.manifest().shard_count)];
    return !drained || order.last_lsn > *drained;
  }

  // Orders leave memory after their retention; an id that no stream has given yet was never an order.
  bool may_be_forgotten(OrderId id) const {
    return id.sequence() <= node_.home_of(id).sequence_max();
  }

  // Of a row with this order id, if it is this node's to judge.
  std::optional<OrderId> own_id(const std::string& row, const std::string& text) {
    const std::optional<OrderId> id = id_of(text);
    if (id && id->node() == node_.manifest().node) return id;
    if (id && is_elsewhere(*id)) return std::nullopt;
    if (id)
      findings_.differ("%s: in the database, but no node %u has ever written there", row.c_str(),
                       id->node());
    else
      findings_.differ("%s: in the database under '%s', which is no order id", row.c_str(),
                       text.c_str());
    return std::nullopt;
  }

  Status hold_rows() {
    for (std::string after;;) {
      Result<std::vector<drain::StoredOrder>> page = database_.orders_after(after, kRowsPerPage);
      if (!page) return page.error();
      if (page->empty()) return Ok{};
      for (const drain::StoredOrder& row : *page) hold(row);
      after = page->back().order_id;
    }
  }

  void hold(const drain::StoredOrder& row) {
    const std::optional<OrderId> own = own_id("order " + row.order_id, row.order_id);
    if (!own) return;
    const OrderId id = *own;
    ++findings_.rows;
    const stock::StreamState& state = node_.home_of(id);
    const uint32_t index = state.find_order(id);
    if (index == kNone) {
      if (may_be_forgotten(id) && row.state != "reserved")
        ++findings_.rows_beyond_memory;
      else
        findings_.differ("order %s: in the database, not in the order log", row.order_id.c_str());
      return;
    }
    seen_.insert(id.value);
    const stock::Order& order = state.order(index);
    const drain::StoredOrder expected = expected_row(node_, state, order, row);
    const Difference difference = first_difference(expected, row);
    if (difference.field == nullptr) return;
    if (is_pending(order))
      ++findings_.pending;
    else
      findings_.differ("order %s: %s differs (log: %s, database: %s)", row.order_id.c_str(),
                       difference.field, difference.log.c_str(), difference.database.c_str());
  }

  Status hold_payments() {
    std::string after_order, after_payment;
    for (;;) {
      auto page = database_.payments_after(after_order, after_payment, kRowsPerPage);
      if (!page) return page.error();
      if (page->empty()) return Ok{};
      for (const drain::StoredPayment& row : *page) hold(row);
      after_order = page->back().order_id;
      after_payment = page->back().payment_id;
    }
  }

  // A payment is decided once and for all: what differs is not merely late.
  void hold(const drain::StoredPayment& row) {
    const std::optional<OrderId> id = own_id("payment " + row.payment_id, row.order_id);
    if (!id) return;
    ++findings_.payments;
    payments_seen_.insert(row.order_id + " " + row.payment_id);
    const stock::StreamState& state = node_.home_of(*id);
    const uint32_t index = state.find_order(*id);
    if (index == kNone && may_be_forgotten(*id)) return;
    const uint32_t payment = index == kNone ? kNone : state.find_payment(index, row.payment_id);
    if (payment == kNone)
      return findings_.differ("order %s: payment %s in the database, not in the order log",
                              row.order_id.c_str(), row.payment_id.c_str());
    const Difference difference =
        first_difference(expected_row(state, state.payment(payment), *id), row);
    if (difference.field != nullptr)
      findings_.differ("order %s: %s of payment %s differs (log: %s, database: %s)",
                       row.order_id.c_str(), difference.field, row.payment_id.c_str(),
                       difference.log.c_str(), difference.database.c_str());
  }

  void name_missing() {
    for (const node::RestoredStream& stream : node_.streams()) {
      const stock::StreamState& state = *stream.state;
      for (uint32_t index = 0; index < state.orders_touched(); ++index) {
        const stock::Order& order = state.order(index);
        if (!order.is_live) continue;
        ++findings_.orders;
        for (uint32_t at = order.first_payment; at != kNone && !is_pending(order);
             at = state.payment(at).next) {
          const std::string payment(state.text(state.payment(at).id));
          if (!payments_seen_.contains(id_text(order.id) + ' ' + payment))
            findings_.differ("order %s: payment %s in the order log, not in the database",
                             id_text(order.id).c_str(), payment.c_str());
        }
        if (seen_.contains(order.id.value)) continue;
        if (is_pending(order))
          ++findings_.pending;
        else
          findings_.differ("order %s: in the order log, not in the database",
                           id_text(order.id).c_str());
      }
    }
  }

  const node::Data& node_;
  drain::DatabaseReader& database_;
  Findings& findings_;
  std::vector<std::optional<Lsn>> drained_;  // by stream; none: the database has nothing of it
  std::unordered_set<uint32_t> nodes_;       // that have ever written to the database
  std::unordered_set<uint64_t> seen_;
  std::unordered_set<std::string> payments_seen_;  // order and payment id
};

int run(Flags& flags) {
  if (flags.data.empty()) flags.data.push_back("./stampede-data");
  if (flags.data.size() > 1 && flags.ledger.empty())
    return usage_error("audit",
                       "--data: several nodes have a shared ledger: name it with --ledger");
  std::optional<cluster::RedisClient> redis;
  if (!flags.ledger.empty()) {
    Result<cluster::RedisUrl> ledger = cluster::parse_redis_url(flags.ledger);
    if (!ledger) return usage_error("audit", "--ledger: " + ledger.error().message);
    redis.emplace(*ledger, kRedisTimeoutMs);
  }
  Result<drain::DatabaseUrl> url = drain::parse_database_url(
      flags.db.empty() ? "sqlite:" + flags.data.front() + "/orders.db" : flags.db);
  if (!url) return usage_error("audit", "--db: " + url.error().message);

  // The database first: a log read later knows everything that the database knows.
  std::unique_ptr<drain::DatabaseReader> database;
  if (url->kind != drain::DatabaseUrl::Kind::none) {
    Result<std::unique_ptr<drain::DatabaseReader>> opened =
        drain::open_database_reader(*url, drain::ReadFrom::any_server);
    if (!opened) return fail(opened.error());
    database = std::move(*opened);
  }
  // Redis in front of the logs, which know everything that had come back to it by now …
  Items before;
  if (redis) {
    Result<Items> items = read_shared(*redis);
    if (!items) return fail(items.error());
    before = std::move(*items);
  }
  Findings findings{.shown_max = flags.differences_shown_max};
  const auto cells =
      static_cast<uint32_t>(std::min<uint64_t>(flags.orders_max, bounds::orders_per_shard_max));
  std::deque<node::Data> nodes;
  for (const std::string& dir : flags.data) {
    node::Data& data = nodes.emplace_back(dir, node::Data::Use::reading);
    const ProgressLines lines(data.progress());
    node::MayEnd end = data.open();
    if (!end) end = data.restore(cells);
    if (end) return fail(*end);
  }
  // … and behind them: it has granted everything that they accepted.
  if (!redis) {
    audit_ledger(nodes.front(), findings);
  } else if (Status status = audit_shared(nodes, *redis, before, *url, findings); !status) {
    return fail(status.error());
  }
  for (const node::Data& node : nodes) {
    if (!database) break;
    if (Status status = DatabaseAudit(node, *database, findings).run(); !status)
      return fail(status.error());
  }
  if (database)
    std::printf(
        "%s in the log%s, %s and %s in the database, %s not drained yet, %s of "
        "orders past their retention\n",
        counted(findings.orders, "order").c_str(), nodes.size() == 1 ? "" : "s",
        counted(findings.rows, "row").c_str(), counted(findings.payments, "payment").c_str(),
        grouped(findings.pending).c_str(), counted(findings.rows_beyond_memory, "row").c_str());
  std::printf("%s\n", counted(findings.differences, "difference").c_str());
  return findings.differences == 0 ? kExitOk : kExitFailure;
}

}  // namespace

Command audit() {
  const auto flags = std::make_shared<Flags>();
  Command command{
      .name = "stampede audit",
      .summary = "hold order log, ledger and database against each other",
      .about = "Holds order log, ledger and database against each other.",
      .examples =
          {{"stampede audit --data /var/lib/stampede", "one node"},
           {"stampede audit --data /mnt/node-0 --data /mnt/node-1 --ledger $LEDGER --db $DB",
            "two nodes of one sale"}},
      .exits = {{kExitFailure, "they differ, as the lines say, or one could not be read"},
                {kExitLogDamaged, "a log is damaged: the line names the file"}},
      .run = [flags] { return run(*flags); }};
  command.add(
      "",
      {{.name = "--data",
        .unit = "DIR",
        .target = &flags->data,
        .help = "data directory, whose server may run; several times for several nodes",
        .absent = "./stampede-data"},
       {.name = "--ledger",
        .unit = "URL",
        .target = &flags->ledger,
        .help =
            "redis://…, redis+sentinel://… or redis+cluster://…: the ledger that the nodes share",
        .absent = "embedded"},
       {.name = "--db",
        .unit = "URL",
        .target = &flags->db,
        .help = "database: sqlite:PATH, postgres://… or none",
        .absent = "sqlite:<data>/orders.db"},
       {.name = "--orders-max",
        .unit = "N",
        .target = &flags->orders_max,
        .help = "most orders of one shard in memory"},
       {.name = "--show",
        .unit = "N",
        .target = &flags->differences_shown_max,
        .help = "most differences that are named"}});
  return command;
}

}  // namespace stampede::cmd
