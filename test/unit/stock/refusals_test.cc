#include "stock/refusals.h"

#include <doctest/doctest.h>

#include <memory>

namespace stampede::stock {
namespace {

std::vector<ItemRefusals> read(const Refusals& refusals) {
  std::vector<ItemRefusals> sums;
  refusals.add_to(sums);
  return busiest(std::move(sums), 1'000);
}
uint64_t count_of(const std::vector<ItemRefusals>& all, ItemId item, Verdict verdict,
                  Limit limit = Limit::none) {
  for (const ItemRefusals& one : all)
    if (one.item == item) return one.by_reason[reason_of(verdict, limit)];
  return 0;
}

TEST_SUITE("stock/refusals") {
  TEST_CASE("refusals are counted by item and reason and the limits apart") {
    auto refusals = std::make_unique<Refusals>();
    refusals->count(3, Verdict::sold_out, Limit::none);
    refusals->count(3, Verdict::sold_out, Limit::none);
    refusals->count(3, Verdict::rate_limited, Limit::user);
    refusals->count(4, Verdict::rate_limited, Limit::item);
    const auto all = read(*refusals);
    REQUIRE(all.size() == 2);
    CHECK(all[0].item == 3);
    CHECK(all[0].total() == 3);
    CHECK(count_of(all, 3, Verdict::sold_out) == 2);
    CHECK(count_of(all, 3, Verdict::rate_limited, Limit::user) == 1);
    CHECK(count_of(all, 3, Verdict::rate_limited, Limit::item) == 0);
    CHECK(count_of(all, 4, Verdict::rate_limited, Limit::item) == 1);
  }

  TEST_CASE("what shards count of one item adds up") {
    auto one = std::make_unique<Refusals>(), other = std::make_unique<Refusals>();
    one->count(7, Verdict::sold_out, Limit::none);
    other->count(7, Verdict::sold_out, Limit::none);
    other->count(8, Verdict::sold_out, Limit::none);
    std::vector<ItemRefusals> sums;
    one->add_to(sums);
    other->add_to(sums);
    CHECK(sums.size() == 2);
    CHECK(count_of(sums, 7, Verdict::sold_out) == 2);
    CHECK(busiest(sums, 1).front().item == 7);
    CHECK(busiest(sums, 1).size() == 1);
  }

  TEST_CASE("an item that refuses more than twice as much takes the row of the least") {
    auto refusals = std::make_unique<Refusals>();
    for (ItemId item = 0; item < bounds::refusal_items; ++item)
      for (ItemId i = 0; i < 10 + item; ++i) refusals->count(item, Verdict::sold_out, Limit::none);
    for (int i = 0; i < 21; ++i) refusals->count(999'999, Verdict::sold_out, Limit::none);
    CHECK(count_of(read(*refusals), 999'999, Verdict::sold_out) == 0);
    CHECK(count_of(read(*refusals), 0, Verdict::sold_out) == 10);
    refusals->count(999'999, Verdict::sold_out, Limit::none);
    refusals->count(999'999, Verdict::sold_out, Limit::none);
    // Counted by reason from then on.
    CHECK(count_of(read(*refusals), 999'999, Verdict::sold_out) == 2);
    CHECK(count_of(read(*refusals), 0, Verdict::sold_out) == 0);
    CHECK(count_of(read(*refusals), 1, Verdict::sold_out) == 11);
    CHECK(read(*refusals).size() == bounds::refusal_items);
  }

  TEST_CASE("a million items that refuse once each push nobody out") {
    auto refusals = std::make_unique<Refusals>();
    for (ItemId item = 0; item < bounds::refusal_items; ++item)
      refusals->count(item, Verdict::sold_out, Limit::none);
    for (ItemId item = 0; item < bounds::item_count_max; ++item)
      refusals->count(item, Verdict::not_started, Limit::none);
    for (const ItemRefusals& one : read(*refusals)) CHECK(one.item < bounds::refusal_items);
  }
}

}  // namespace
}  // namespace stampede::stock
