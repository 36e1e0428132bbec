#include "cluster.h"

#include <doctest/doctest.h>

#include <functional>
#include <map>
#include <numeric>
#include <set>

#include "../../servers/free_port.h"

namespace stampede::e2e {

using servers::PostgresClient;
using servers::Relay;

Cluster::Cluster(ClusterOptions options)
    : redis_(options.redis), redis_port_(redis_.port()), ledger_(options.ledger) {
  for (size_t i = 0; i < options.nodes; ++i) {
    relays_.push_back(std::make_unique<Relay>(redis_port_));
    nodes_.push_back(std::make_unique<Server>(options_of(options, i)));
  }
  if (options.awaits_open) await_open();
}

ServerOptions Cluster::options_of(const ClusterOptions& options, size_t index) {
  const auto on_free_port = [] { return "127.0.0.1:" + std::to_string(servers::free_port()); };
  const std::string user = redis_.password().empty() ? "" : ":" + redis_.password() + "@";
  const std::string through_relay =
      "redis://" + user + "127.0.0.1:" + std::to_string(relay(index).port()) + "/0";
  ServerOptions server{
      .catalog = options.catalog,
      .flags = {{"--node", std::to_string(index)},
                {"--listen", on_free_port()},
                {"--admin", on_free_port()},
                {"--db", database_url()},
                {"--ledger", ledger_.empty() ? through_relay : ledger_},
                {"--ledger-timeout-ms", std::to_string(options.ledger_timeout_ms)}}};
  server.flags.insert(server.flags.end(), options.flags.begin(), options.flags.end());
  return server;
}

void Cluster::each_relay(const std::function<void(Relay&)>& act) {
  for (const auto& relay : relays_) act(*relay);
}

void Cluster::redirect(uint16_t redis_port) {
  redis_port_ = redis_port;
  each_relay([&](Relay& relay) { relay.redirect(redis_port); });
}

PostgresClient Cluster::database() const {
  return PostgresClient(postgres_.socket_url(database_name_));
}

bool Cluster::is_open(size_t index) {
  return ledger_of(index)["available"].truth();
}

int64_t Cluster::await_open(const std::vector<size_t>& nodes) {
  int64_t epoch = 0;
  const bool is_so = wait_until([&] {
    std::set<int64_t> epochs;
    for (const size_t index : nodes) {
      const Json ledger = ledger_of(index);
      if (!ledger["available"].truth()) return false;
      epochs.insert(epoch = ledger["epoch"].number());
    }
    return epochs.size() == 1;
  });
  if (!is_so)
    for (const size_t index : nodes)
      MESSAGE("node " << index << ": " << node(index).admin().get("/admin/status").body);
  REQUIRE_MESSAGE(is_so, "the ledger did not open");
  return epoch;
}

Finished Cluster::ledger(const std::string& subcommand, Arguments arguments) {
  const std::string user = redis_.password().empty() ? "" : ":" + redis_.password() + "@";
  const std::string redis = "redis://" + user + "127.0.0.1:" + std::to_string(redis_port_) + "/0";
  Arguments command{"ledger", subcommand, "--ledger", ledger_.empty() ? redis : ledger_};
  if (subcommand != "rebuild") command.insert(command.end(), {"--db", database_url()});
  command.insert(command.end(), arguments.begin(), arguments.end());
  return run_stampede(command);
}

// ---- users

std::vector<size_t> Cluster::all() const {
  std::vector<size_t> nodes(size());
  std::iota(nodes.begin(), nodes.end(), 0);
  return nodes;
}

size_t Cluster::home_of(const std::string& user, const std::vector<size_t>& nodes) const {
  return nodes[std::hash<std::string>()(user) % nodes.size()];
}

std::vector<Outcome> Cluster::rush(const std::vector<Ask>& asks, const std::vector<size_t>& nodes,
                                   std::atomic<size_t>* answered) {
  std::vector<std::vector<Ask>> parts(size());
  for (const Ask& ask : asks) parts[home_of(ask.user, nodes)].push_back(ask);
  constexpr size_t kPipeline = 8;
  const RushOptions options{.connections = 4, .pipeline = kPipeline, .on_progress = [&](size_t) {
                              if (answered != nullptr) *answered += kPipeline;
                            }};
  std::vector<std::vector<Outcome>> outcomes(size());
  std::vector<std::thread> threads;
  for (size_t index = 0; index < size(); ++index)
    threads.emplace_back([&, index, address = node(index).address()] {
      outcomes[index] = rush_until_decided(address, parts[index], options);
    });
  for (std::thread& thread : threads) thread.join();
  std::vector<Outcome> all;
  for (const std::vector<Outcome>& part : outcomes) append(all, part);
  return all;
}

std::vector<Outcome> Cluster::buy_until_refused(size_t index, const std::string& prefix) {
  std::vector<Outcome> orders;
  while (true) {
    const Ask ask{.user = prefix + std::to_string(orders.size())};
    const Response response =
        node(index).http().post("/v1/orders", order_body(ask), {{"X-User-Id", ask.user}});
    if (response.status == 503) return orders;
    REQUIRE_MESSAGE(response.status == 201, response.status << " " << response.code());
    orders.push_back({.ask = ask, .status = 201, .order_id = response.json()["order_id"].text()});
  }
}

// ---- the oracle

int64_t Cluster::sold_units(const std::string& item) {
  return database().number("SELECT coalesce(sum(qty),0) FROM orders WHERE item='" + item +
                           "' AND state IN ('reserved','paid')");
}

void Cluster::check(const std::vector<Outcome>& outcomes, int64_t total,
                    const std::vector<size_t>& nodes, const std::string& item) {
  std::map<std::string, std::string> buyers;  // by order, as the servers have told them
  for (const Outcome& outcome : outcomes) {
    const bool is_honest =
        outcome.status == 201 || outcome.status == 200 || outcome.code == "sold_out";
    CHECK_MESSAGE(is_honest,
                  outcome.ask.user << " heard " << outcome.status << " " << outcome.code);
    if (outcome.order_id.empty()) continue;
    const bool is_new = buyers.emplace(outcome.order_id, outcome.ask.user).second;
    CHECK_MESSAGE(is_new, "given twice: " << outcome.order_id);
  }
  await_open(nodes);
  for (const size_t index : nodes) CHECK(node(index).wait_drained());
  std::map<std::string, std::string> rows;
  for (const auto& row :
       database().rows("SELECT order_id, user_id FROM orders WHERE item='" + item + "'"))
    rows.emplace(row[0], row[1]);
  for (const auto& [order, user] : buyers)
    CHECK_MESSAGE(rows[order] == user, "acknowledged and lost: " << order << " of " << user);
  CHECK(rows.size() == buyers.size());
  CHECK(database().number("SELECT count(*) FROM rejected") == 0);
  CHECK(sold_units(item) <= total);
  int64_t held = 0;
  for (const size_t index : nodes) {
    const Books books = node(index).books(item);
    CHECK_MESSAGE(books.ok, "the audit of node " << index);
    CHECK(books.total == total);
    held += books.reserved + books.paid;
  }
  if (nodes.size() == size()) CHECK(held == sold_units(item));
}

void Cluster::check_sold_out(const std::vector<Outcome>& outcomes, int64_t total) {
  check(outcomes, total);
  CHECK(sold_units() == total);
  for (const size_t index : all()) {
    const Books books = node(index).books();
    CHECK(books.free == 0);
    CHECK(books.leased == 0);
  }
}

// ---- a rush in the background

BackgroundRush::BackgroundRush(Cluster& cluster, std::vector<Ask> asks)
    : BackgroundRush(cluster, std::move(asks), cluster.all()) {}

BackgroundRush::BackgroundRush(Cluster& cluster, std::vector<Ask> asks, std::vector<size_t> nodes)
    : thread_([this, &cluster, asks = std::move(asks), nodes = std::move(nodes)] {
        outcomes_ = cluster.rush(asks, nodes, &answers_);
        is_over_ = true;
      }) {}

BackgroundRush::~BackgroundRush() {
  if (thread_.joinable()) thread_.join();
}

void BackgroundRush::await_answers(size_t count) {
  wait_until([&] { return answers_ >= count || is_over_; });
}

std::vector<Outcome> BackgroundRush::finish() {
  thread_.join();
  return std::move(outcomes_);
}

}  // namespace stampede::e2e
