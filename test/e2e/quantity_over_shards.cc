// Units that lie in several shards' pools are reunited for an order that needs them together.
#include <doctest/doctest.h>

#include "harness/rush.h"
#include "harness/server.h"

namespace stampede::e2e {
namespace {

TEST_SUITE("e2e/quantity_over_shards") {
  TEST_CASE("seven units sell as twice three and once one") {
    for (int shards : {1, 2, 5}) {
      CAPTURE(shards);
      Server server({.catalog = catalog({{.stock = 7}}), .shards = shards});
      auto threes = rush_until_decided(server.address(), crowd(40, "u", {.quantity = 3}));
      auto counts = tally(threes);
      CHECK(counts["201"] == 2);
      CHECK(counts["409 not_enough"] + counts["409 sold_out"] + counts["201"] == 40);
      CHECK(counts["409 sold_out"] == 0);  // one unit is left
      CHECK(tally(rush_until_decided(server.address(), crowd(40, "one")))["201"] == 1);
      server.check_books();
    }
  }

  TEST_CASE("an order for everything succeeds after many small ones came back") {
    for (int shards : {2, 5}) {
      CAPTURE(shards);
      Server server({.catalog = catalog({{.stock = 60}}), .shards = shards});
      auto small = rush_until_decided(server.address(), crowd(60));
      for (const Outcome& outcome : small)
        CHECK(server.cancel(outcome.ask.user, outcome.order_id).status == 200);
      CHECK(wait_until(
          [&] { return server.order({.user = "whole", .quantity = 60}).status == 201; }));
      server.check_books();
    }
  }

  TEST_CASE("mixed quantities sell the last unit") {
    Server server({.catalog = catalog({{.stock = 1'000}}), .shards = 5});
    std::vector<Ask> asks;
    for (int i = 0; i < 800; ++i)
      asks.push_back({.user = "u" + std::to_string(i), .quantity = 1 + i % 7, .key = "k"});
    rush_until_decided(server.address(), asks);
    rush_until_decided(server.address(), crowd(50, "filler"));
    Books books = server.books();
    CHECK(books.reserved == 1'000);
    server.check_books();
  }

  TEST_CASE("the smallest and the largest lookahead sell the same") {
    for (std::string lease_max : {"1", "256", "100000"}) {
      CAPTURE(lease_max);
      Server server({.catalog = catalog({{.stock = 500}}),
                     .shards = 2,
                     .flags = {{"--lease-max", lease_max}}});
      CHECK(tally(rush_until_decided(server.address(), crowd(700)))["201"] == 500);
      server.check_books();
    }
  }
}

}  // namespace
}  // namespace stampede::e2e
