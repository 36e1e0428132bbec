#include "sold.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>

namespace stampede::e2e {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kStock = 20'000;

Sold begin(const std::string& name, int shards, bool has_database = true) {
  Sold sold{.name = name,
            .options = {.catalog = catalog({{.stock = kStock}, {.code = "seat", .stock = kStock}}),
                        .shards = shards},
            .has_database = has_database};
  if (!has_database) sold.options.flags = {{"--db", "none"}};
  sold.keeper = std::make_shared<Server>(sold.options);
  sold.data = sold.keeper->data();
  return sold;
}

void sell(Sold& sold, size_t count, const std::string& prefix, bool one_by_one = false) {
  RushOptions options;
  if (one_by_one) options = {.connections = 1, .pipeline = 1};
  for (Outcome& outcome :
       rush_until_decided(sold.keeper->address(), crowd(count, prefix), options)) {
    REQUIRE(outcome.status == 201);
    sold.ids.insert(outcome.order_id);
    sold.orders.push_back(outcome);
  }
}

void stop(Sold& sold) {
  if (sold.has_database) REQUIRE(sold.keeper->wait_drained());
  REQUIRE(sold.keeper->terminate() == 0);
}

void keep_copy(Sold& sold) {
  sold.older = sold.keeper->scratch().path("older");
  fs::copy(sold.data, sold.older, fs::copy_options::recursive);
}

// The first orders are paid or cancelled, so that there is more than reservations.
void change_some(Sold& sold) {
  for (size_t i = 0; i < 6; ++i) {
    const Outcome& order = sold.orders[i];
    const Response response = i % 2 == 0 ? sold.keeper->pay(order.order_id)
                                         : sold.keeper->cancel(order.ask.user, order.order_id);
    REQUIRE(response.status == 200);
  }
}

std::string wrong_answer(const Outcome& before, const Outcome& now) {
  if (now.is_replayed && now.order_id == before.order_id) return "";
  return "order " + before.order_id + " of " + before.ask.user + " was answered " +
         std::to_string(now.status) + " " + now.code + " " + now.order_id;
}

std::vector<Ask> asks_of(const std::vector<Outcome>& outcomes) {
  std::vector<Ask> asks;
  for (const Outcome& outcome : outcomes) asks.push_back(outcome.ask);
  return asks;
}

std::string wrong_books(Server& server) {
  const Response response = server.admin().get("/admin/audit");
  if (response.status != 200) return "no audit: " + response.body;
  return response.json()["ok"].truth() ? "" : "the books do not add up: " + response.body;
}

std::string wrong_rows(Server& server, const Sold& sold) {
  if (!server.wait_drained()) return "the database never had everything";
  Database database(server.database_path());
  if (database.number("select count(*) from rejected") != 0) return "rows were rejected";
  const auto rows = database.number("select count(*) from orders");
  if (rows < static_cast<int64_t>(sold.orders.size())) return "rows are missing";
  return "";
}

// Stopped, with orders of every kind, and copied: the copy is an old one as soon as it sells on.
Sold begin_with_copy(const std::string& name, int shards) {
  Sold sold = begin(name, shards);
  sell(sold, 60, "early");
  change_some(sold);
  stop(sold);
  keep_copy(sold);
  return sold;
}

}  // namespace

// Each order is a batch of a block at least, so 530 of them fill a segment of 2 MiB.
Sold one_shard() {
  Sold sold = begin("one shard", 1);
  sell(sold, 530, "early", true);
  change_some(sold);
  stop(sold);
  keep_copy(sold);
  sold.keeper->start();
  sell(sold, 530, "late", true);
  stop(sold);
  return sold;
}

Sold three_after_two() {
  Sold sold = begin_with_copy("three shards after two", 2);
  sold.options.shards = sold.keeper->options().shards = 3;
  sold.keeper->start();
  sell(sold, 60, "late");
  stop(sold);
  return sold;
}

Sold after_accepted_loss() {
  Sold sold = begin("after an accepted loss", 1);
  sold.has_lost = true;
  sell(sold, 20, "early", true);
  stop(sold);
  keep_copy(sold);
  flip_bit(files_below(sold.data, ".log")[0], 15 * 4096 + 40, 3);
  sold.keeper->options().flags.emplace_back("--accept-loss", "");
  sold.keeper->start();
  std::erase_if(sold.orders, [&](const Outcome& order) {
    return sold.keeper->read(order.ask.user, order.order_id).status != 200;
  });
  REQUIRE(!sold.orders.empty());
  REQUIRE(sold.orders.size() < sold.ids.size());
  for (const char* item : {"ticket", "seat"})
    REQUIRE(sold.keeper->admin().post(std::string("/admin/items/") + item + "/resume").status ==
            200);
  sell(sold, 20, "late", true);
  stop(sold);
  return sold;
}

Sold killed() {
  Sold sold = begin_with_copy("killed", 2);
  sold.keeper->start();
  sell(sold, 60, "late");
  REQUIRE(sold.keeper->wait_drained());
  sold.keeper->kill9();
  return sold;
}

Sold without_database() {
  Sold sold = begin("without a database", 2, false);
  sell(sold, 60, "early");
  change_some(sold);
  stop(sold);
  keep_copy(sold);
  sold.keeper->start();
  sell(sold, 60, "late");
  stop(sold);
  return sold;
}

std::string what_is_wrong(Server& server, const Sold& sold, bool is_database_sound) {
  const std::vector<Outcome> again = rush_until_decided(server.address(), asks_of(sold.orders));
  for (size_t i = 0; i < again.size(); ++i)
    if (std::string wrong = wrong_answer(sold.orders[i], again[i]); !wrong.empty()) return wrong;
  for (const Outcome& outcome : rush_until_decided(server.address(), crowd(12, "new"))) {
    if (outcome.status != 201)
      return "a new order was answered " + std::to_string(outcome.status) + " " + outcome.code;
    if (sold.ids.contains(outcome.order_id)) return "id " + outcome.order_id + " was given again";
  }
  if (std::string wrong = wrong_books(server); !wrong.empty()) return wrong;
  const bool asks_database = sold.has_database && is_database_sound;
  if (asks_database)
    if (std::string wrong = wrong_rows(server, sold); !wrong.empty()) return wrong;
  if (const int code = server.terminate(); code != 0)
    return "it stopped with " + std::to_string(code);
  if (!asks_database || sold.has_lost) return "";
  const Finished audit =
      run_stampede({"audit", "--data", server.data(), "--db", "sqlite:" + server.database_path()});
  return audit.exit_code == 0 ? "" : "audit: " + audit.out + audit.err;
}

}  // namespace stampede::e2e
