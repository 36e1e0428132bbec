// More buyers than units: exactly the stock is sold, whatever the number of shards; everybody else
// hears sold_out, and refusals move no counter.
#include <doctest/doctest.h>

#include "harness/random.h"
#include "harness/rush.h"
#include "harness/server.h"

namespace stampede::e2e {
namespace {

size_t accepted(const std::vector<Outcome>& outcomes) {
  size_t count = 0;
  for (const Outcome& outcome : outcomes) count += outcome.status == 201 || outcome.is_replayed;
  return count;
}

void sell_out(size_t stock, size_t buyers, int shards) {
  CAPTURE(stock);
  CAPTURE(shards);
  Server server({.catalog = catalog({{.stock = static_cast<int64_t>(stock), .per_user_limit = 1}}),
                 .shards = shards});
  auto outcomes = rush_until_decided(server.address(), crowd(buyers));
  CHECK(accepted(outcomes) == std::min(stock, buyers));
  for (const Outcome& outcome : outcomes)
    if (outcome.status >= 400 && outcome.code != "sold_out")
      FAIL_CHECK("dishonest: " << outcome.code);
  Books books = server.books();
  CHECK(books.reserved == static_cast<int64_t>(stock));
  CHECK(books.free + books.leased == 0);
  server.check_books();
}

TEST_SUITE("e2e/sells_exactly_the_stock") {
  TEST_CASE("no stock sells nothing") {
    sell_out(0, 50, 2);
  }
  TEST_CASE("one unit goes to one of many") {
    sell_out(1, 200, 5);
  }
  TEST_CASE("five units are sold once each on one shard") {
    sell_out(5, 200, 1);
  }
  TEST_CASE("five units are sold once each on two shards") {
    sell_out(5, 200, 2);
  }
  TEST_CASE("five units are sold once each on more shards than processors") {
    sell_out(5, 200, 5);
  }
  TEST_CASE("ten thousand units are sold once each on one shard") {
    sell_out(10'000, 20'000, 1);
  }
  TEST_CASE("ten thousand units are sold once each on two shards") {
    sell_out(10'000, 20'000, 2);
  }
  TEST_CASE("ten thousand units are sold once each on more shards than processors") {
    sell_out(10'000, 20'000, 5);
  }

  TEST_CASE("after sell-out and many refusals three cancelled units sell exactly three times") {
    for (int shards : {1, 2, 5}) {
      CAPTURE(shards);
      Server server({.catalog = catalog({{.stock = 20}}), .shards = shards});
      auto winners = rush_until_decided(server.address(), crowd(20, "winner"));
      REQUIRE(accepted(winners) == 20);
      auto refused = rush_until_decided(server.address(), crowd(5'000, "late"));
      CHECK(accepted(refused) == 0);
      for (int i : {3, 7, 11}) {
        Response cancelled = server.cancel(winners[i].ask.user, winners[i].order_id);
        CHECK(cancelled.status == 200);
      }
      // sold_out may be up to 100 ms old; whoever keeps asking gets the three units.
      size_t sold = 0;
      int round = 0;
      CHECK(wait_until([&] {
        sold += accepted(rush(server.address(), crowd(20, "next" + std::to_string(round++) + "-")));
        return sold >= 3;
      }));
      CHECK(accepted(rush_until_decided(server.address(), crowd(200, "last"))) == 0);
      CHECK(sold == 3);
      server.check_books();
    }
  }

  TEST_CASE("those who come a moment too late all learn that it is sold") {
    for (int shards : {2, 5})
      for (int round = 0; round < rounds(4); ++round) {
        CAPTURE(shards);
        Server server({.catalog = catalog({{.stock = 100}}), .shards = shards});
        auto outcomes = rush_until_decided(server.address(), crowd(120));
        CHECK(tally(outcomes)["409 sold_out"] == 20);
        server.check_books();
      }
  }

  TEST_CASE("all buyers on one connection can buy everything") {
    Server server({.catalog = catalog({{.stock = 500}}), .shards = 5});
    auto outcomes =
        rush_until_decided(server.address(), crowd(600), {.connections = 1, .pipeline = 32});
    CHECK(accepted(outcomes) == 500);
    server.check_books();
  }

  TEST_CASE("an item that is sold out does not touch its neighbour") {
    Server server(
        {.catalog = catalog({{.code = "a", .stock = 1}, {.code = "b", .stock = 50}}), .shards = 2});
    server.buy({.user = "u1", .item = "a"});
    auto asks = crowd(50, "u", {.item = "b"});
    CHECK(accepted(rush_until_decided(server.address(), asks)) == 50);
    CHECK(
        wait_until([&] { return server.order({.user = "u2", .item = "a"}).code() == "sold_out"; }));
    server.check_books("a");
    server.check_books("b");
  }
}

}  // namespace
}  // namespace stampede::e2e
