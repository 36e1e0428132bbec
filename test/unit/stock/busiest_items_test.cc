// Which items an operator's graphs show when there are too many for all of them.
#include "stock/busiest_items.h"

#include <algorithm>
#include <numeric>

// Behind the headers of the server, whose CHECK means the other thing.
#include <doctest/doctest.h>

namespace stampede::stock {
namespace {

using Found = std::vector<std::pair<ItemId, Units>>;

Found found_by(const BusiestItems& busiest) {
  Found found;
  busiest.add_to(found);
  std::ranges::sort(found);
  return found;
}

std::vector<ItemStock> leased(const std::vector<Units>& units) {
  std::vector<ItemStock> stocks(units.size());
  for (size_t i = 0; i < units.size(); ++i) stocks[i].accepted = units[i];
  return stocks;
}

TEST_SUITE("stock/busiest_items") {
  TEST_CASE("an item that has leased nothing is not among them") {
    BusiestItems busiest;
    busiest.look(leased({0, 5, 0, 7}));
    CHECK(found_by(busiest) == Found{{1, 5}, {3, 7}});
  }

  TEST_CASE("of more than there are places for those with most units are found") {
    std::vector<Units> units(1000);
    std::iota(units.begin(), units.end(), Units{1});
    std::ranges::reverse(units);
    BusiestItems busiest;
    busiest.look(leased(units));
    const Found found = found_by(busiest);
    REQUIRE(found.size() == bounds::metrics_items_max);
    for (const auto& [item, leased_units] : found) {
      CHECK(item < bounds::metrics_items_max);
      CHECK(leased_units == 1000 - item);
    }
  }

  TEST_CASE("what a round has found stands until the next one ends") {
    BusiestItems busiest;
    busiest.look(leased({1, 1, 1}), 2);
    CHECK(found_by(busiest).empty());
    busiest.look(leased({1, 1, 1}), 2);
    CHECK(found_by(busiest).size() == 3);
    busiest.look(leased({0, 9, 0}), 2);
    CHECK(found_by(busiest).size() == 3);
    busiest.look(leased({0, 9, 0}), 2);
    CHECK(found_by(busiest) == Found{{1, 9}});
  }

  TEST_CASE("the units of an item are summed over the shards") {
    CHECK(busiest_of({{1, 5}, {2, 6}, {3, 1}, {1, 5}, {3, 2}}, 2) == std::vector<ItemId>{1, 2});
    CHECK(busiest_of({{4, 1}}, 2) == std::vector<ItemId>{4});
    CHECK(busiest_of({}, 2).empty());
  }
}

}  // namespace
}  // namespace stampede::stock
