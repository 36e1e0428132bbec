// kill -9 at any moment under load: every order that was acknowledged is there after the restart,
// every request that got no answer can be repeated and gives one order, and the database ends with
// exactly the orders that exist.

#include <doctest/doctest.h>
#include <set>

#include "harness/random.h"
#include "harness/rush.h"
#include "harness/server.h"

namespace stampede::e2e {
namespace {

// Buys until the server dies after about so many answers; whoever was answered is in the outcomes.
std::vector<Outcome> buy_until_killed(Server& server, const std::vector<Ask>& asks,
                                      size_t answers) {
  return rush(server.address(), asks,
              {.connections = 4, .pipeline = 8, .on_progress = [&](size_t answered) {
                 if (answered >= answers) server.process().signal(9);
               }});
}

void check_acknowledged(Server& server, const std::vector<Outcome>& outcomes) {
  for (const Outcome& outcome : outcomes) {
    if (outcome.status != 201 && outcome.status != 200) continue;
    Response read = server.read(outcome.ask.user, outcome.order_id);
    CHECK_MESSAGE(read.status == 200,
                  "acknowledged and lost: " << outcome.order_id << " of " << outcome.ask.user);
  }
}

void check_database_has_exactly(Server& server, const std::set<std::string>& ids) {
  REQUIRE(server.wait_drained());
  Database database(server.database_path());
  std::multiset<std::string> rows;
  for (const auto& row : database.rows("select order_id from orders")) rows.insert(row[0]);
  CHECK(rows.size() == ids.size());
  CHECK(std::set<std::string>(rows.begin(), rows.end()) == ids);
}

void kill_repeatedly(int shards, int times, const std::string& durability) {
  INFO("seed " << seed());
  CAPTURE(shards);
  Server server({.catalog = catalog({{.stock = 100'000'000, .per_user_limit = 1}}),
                 .shards = shards,
                 .flags = {{"--durability", durability}}});
  std::set<std::string> ids;
  for (int round = 0; round < times; ++round) {
    CAPTURE(round);
    auto asks = crowd(400, "r" + std::to_string(round) + "-");
    auto outcomes = buy_until_killed(server, asks, random_between(0, 380));
    server.kill9();
    server.start();
    check_acknowledged(server, outcomes);
    // Everybody asks again, whether he was answered or not: the same orders, and none twice.
    auto again = rush_until_decided(server.address(), asks);
    for (size_t i = 0; i < asks.size(); ++i) {
      CHECK_MESSAGE((again[i].status == 201 || again[i].status == 200),
                    again[i].status << " " << again[i].code);
      if (!outcomes[i].order_id.empty()) CHECK(again[i].order_id == outcomes[i].order_id);
      CHECK(ids.insert(again[i].order_id).second);
    }
    CHECK(server.books().ok);
    CHECK(server.books().reserved == static_cast<int64_t>(ids.size()));
  }
  server.check_books();
  check_database_has_exactly(server, ids);
}

TEST_SUITE("e2e/order_survives_kill") {
  TEST_CASE("no acknowledged order is lost or doubled by kill -9 on one shard") {
    kill_repeatedly(1, rounds(4), "fsync");
  }
  TEST_CASE("no acknowledged order is lost or doubled by kill -9 on two shards") {
    kill_repeatedly(2, rounds(6), "fsync");
  }
  TEST_CASE("no acknowledged order is lost or doubled by kill -9 on more shards than processors") {
    kill_repeatedly(5, rounds(3), "fsync");
  }
  TEST_CASE("no acknowledged order is lost by kill -9 when orders are only written") {
    kill_repeatedly(2, rounds(3), "os");
  }

  TEST_CASE("payments and cancels that were answered survive kill -9 and reach the database once") {
    INFO("seed " << seed());
    Server server({.catalog = catalog({{.stock = 10'000}}), .shards = 2});
    std::map<std::string, std::string> states;
    for (int round = 0; round < rounds(3); ++round) {
      for (const Outcome& outcome :
           rush_until_decided(server.address(), crowd(60, "r" + std::to_string(round) + "-"))) {
        uint64_t choice = random_between(0, 2);
        if (choice == 1 &&
            server.pay(outcome.order_id, {.id = "p" + outcome.order_id}).status == 200)
          states[outcome.order_id] = "paid";
        else if (choice == 2 && server.cancel(outcome.ask.user, outcome.order_id).status == 200)
          states[outcome.order_id] = "cancelled";
        else
          states[outcome.order_id] = "reserved";
      }
      server.kill9();
      server.start();
    }
    server.check_books();
    Database database(server.database_path());
    auto rows = database.rows("select order_id, state from orders");
    CHECK(rows.size() == states.size());
    for (const auto& row : rows) CHECK_MESSAGE(states[row[0]] == row[1], row[0]);
    CHECK(database.number("select count(*) from payments") ==
          database.number("select count(*) from orders where state='paid'"));
  }

  TEST_CASE("a server killed while it starts can be started") {
    INFO("seed " << seed());
    Server server({.catalog = catalog({{.stock = 1'000}}), .shards = 2});
    auto outcomes = rush_until_decided(server.address(), crowd(200));
    server.kill9();
    for (int round = 0; round < rounds(5); ++round) {
      Process brief(server.command(), server.stderr_path());
      brief.wait(milliseconds{random_between(1, 150)});
    }
    server.start();
    check_acknowledged(server, outcomes);
    server.check_books();
  }
}

}  // namespace
}  // namespace stampede::e2e
