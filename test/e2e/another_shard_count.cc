// A restart with another number of shards: everything moves, nothing is lost, and no order is
// somebody else's.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "harness/rush.h"
#include "harness/server.h"

namespace stampede::e2e {
namespace {

void move(const std::vector<int>& shard_counts, bool by_kill) {
  Server server(
      {.catalog = catalog({{.stock = 1'000, .per_user_limit = 1}}), .shards = shard_counts[0]});
  std::vector<Outcome> all;
  std::string paid = server.buy({.user = "payer"}), cancelled = server.buy({.user = "canceller"});
  REQUIRE(server.pay(paid).status == 200);
  REQUIRE(server.cancel("canceller", cancelled).status == 200);
  for (size_t life = 0; life < shard_counts.size(); ++life) {
    CAPTURE(shard_counts[life]);
    append(all,
           rush_until_decided(server.address(), crowd(100, "life" + std::to_string(life) + "-")));
    if (by_kill)
      server.kill9();
    else
      REQUIRE(server.terminate() == 0);
    server.options().shards = shard_counts[(life + 1) % shard_counts.size()];
    server.start();
    CHECK(server.status()["shards"].size() == static_cast<size_t>(server.options().shards));
    for (const Outcome& outcome : all) {
      REQUIRE(outcome.status == 201);
      CHECK(server.read(outcome.ask.user, outcome.order_id).status == 200);
      Response again = server.order(outcome.ask);  // its key moved as well
      CHECK(again.status == 200);
      CHECK(again.json()["order_id"].text() == outcome.order_id);
    }
    CHECK(server.order({.user = all[0].ask.user}).code() == "limit_reached");
    CHECK(server.state_of("payer", paid) == "paid");
    CHECK(server.state_of("canceller", cancelled) == "cancelled");
    Books books = server.books();
    CHECK(books.ok);
    CHECK(books.reserved == static_cast<int64_t>(all.size()));
    CHECK(books.paid == 1);
  }
  server.check_books();
  CHECK(Database(server.database_path()).number("select count(*) from orders") ==
        static_cast<int64_t>(all.size()) + 2);
}

TEST_SUITE("e2e/another_shard_count") {
  TEST_CASE("orders move over clean restarts") {
    move({2, 5, 1}, false);
  }
  TEST_CASE("orders move after kill -9") {
    move({1, 5, 2}, true);
  }

  TEST_CASE(
      "the logs of earlier numbers of shards are removed by the start behind the one that moved") {
    Server server({.catalog = catalog({{.stock = 100}}), .shards = 2});
    const std::string order = server.buy({.user = "alice"});
    const auto has = [&](const char* generation) {
      return std::filesystem::exists(server.data() + "/log/" + generation);
    };
    for (const int shards : {3, 1}) {
      server.options().shards = shards;
      server.restart();
    }
    CHECK((has("g1") && has("g2") && has("g3")));
    // A file that is not ours is in the way: nothing is lost, and the server sells.
    std::ofstream(server.data() + "/log/g2/notes.txt") << "mine";
    server.restart();
    CHECK(server.state_of("alice", order) == "reserved");
    CHECK(has("g2/notes.txt"));
    CHECK_FALSE(has("g2/s0"));
    CHECK_FALSE(has("g1"));
    std::filesystem::remove(server.data() + "/log/g2/notes.txt");
    server.kill9();
    server.start();
    CHECK_FALSE(has("g2"));
    CHECK(has("g3"));
    CHECK(server.state_of("alice", order) == "reserved");
  }

  TEST_CASE("what was not yet in the database arrives there after the move") {
    Server server({.catalog = catalog({{.stock = 1'000}}), .shards = 2});
    auto first = std::make_unique<Database>(server.database_path(), true);
    REQUIRE(first->execute("begin immediate"));
    CHECK(tally(rush_until_decided(server.address(), crowd(300)))["201"] == 300);
    server.kill9();
    first.reset();
    server.options().shards = 3;
    server.start();
    server.check_books();
    CHECK(Database(server.database_path()).number("select count(*) from orders") == 300);
  }

  TEST_CASE("a lost database is built again with the orders from before the move") {
    Server server({.catalog = catalog({{.stock = 500'000}}), .shards = 2});
    CHECK(tally(rush_until_decided(server.address(), crowd(300, "before-")))["201"] == 300);
    server.options().shards = 1;
    server.restart();
    REQUIRE(server.wait_drained());
    // The snapshot that the log began with goes once there are two newer ones, while a database that takes no rows keeps
    // the log's first segment there.
    auto locked = std::make_unique<Database>(server.database_path(), true);
    REQUIRE(locked->execute("begin immediate"));
    const std::string stream = server.data() + "/log/g2/s0";
    int64_t sold = 300;
    for (int round = 0; std::filesystem::exists(stream + "/snapshot-0000000001"); ++round) {
      CAPTURE(round);
      REQUIRE(round < 200);
      sold +=
          tally(rush_until_decided(server.address(), crowd(200, "r" + std::to_string(round) + "-"),
                                   {.connections = 1, .pipeline = 1}))["201"];
    }
    server.kill9();
    locked.reset();
    REQUIRE(std::filesystem::exists(stream + "/0000000001.log"));
    for (const char* ending : {"", "-wal", "-shm"})
      std::filesystem::remove(server.database_path() + ending);
    server.start();
    REQUIRE(server.wait_drained());
    Database rows(server.database_path());
    CHECK(rows.number("select count(*) from orders where user_id like 'before-%'") == 300);
    CHECK(rows.number("select count(*) from orders") == sold);
    server.check_books();
  }

  TEST_CASE("a sold-out item stays sold out and gives back what is cancelled") {
    Server server({.catalog = catalog({{.stock = 40}}), .shards = 5});
    auto outcomes = rush_until_decided(server.address(), crowd(60));
    server.options().shards = 2;
    server.restart();
    CHECK(tally(rush_until_decided(server.address(), crowd(60, "late")))["201"] == 0);
    for (const Outcome& outcome : outcomes)
      if (outcome.status == 201) {
        CHECK(server.cancel(outcome.ask.user, outcome.order_id).status == 200);
        break;
      }
    CHECK(wait_until([&] { return server.order({.user = "lucky"}).status == 201; }));
    server.check_books();
  }
}

}  // namespace
}  // namespace stampede::e2e
