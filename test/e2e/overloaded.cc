// Full is an answer: at the bound on orders new ones are refused as overloaded, and everything else
// goes on.
#include <doctest/doctest.h>

#include "harness/rush.h"
#include "harness/server.h"

namespace stampede::e2e {
namespace {

TEST_SUITE("e2e/overloaded") {
  TEST_CASE("at the bound on orders new ones are refused and old ones live") {
    for (int shards : {1, 2}) {
      CAPTURE(shards);
      Server server({.catalog = catalog({{.stock = 100'000}}),
                     .shards = shards,
                     .flags = {{"--orders-max", "1000"}}});
      auto outcomes = rush(server.address(), crowd(3'000));
      auto counts = tally(outcomes);
      CHECK(counts["201"] <= 1'000);
      CHECK(counts["201"] >= 500);  // users are not spread evenly over shards
      CHECK(counts["201"] + counts["503 overloaded"] + counts["503 try_again"] == 3'000);
      CHECK(counts["503 overloaded"] > 0);
      const Outcome& first = outcomes[0];
      REQUIRE(first.status == 201);
      CHECK(server.pay(first.order_id).json()["state"].text() == "paid");
      CHECK(server.order(first.ask).json()["order_id"].text() == first.order_id);
      CHECK(server.books().reserved == static_cast<int64_t>(counts["201"]) - 1);
      server.check_books();
    }
  }
}

}  // namespace
}  // namespace stampede::e2e
