#include "node/items.h"

#include <doctest/doctest.h>

namespace {

using namespace stampede;

stock::ItemTerms terms_of(ItemId id, std::string_view code) {
  stock::ItemTerms terms;
  terms.id = id;
  terms.code = code;
  return terms;
}

// One that was ended for good at its end.
std::vector<stock::RegisteredItem> one_ended() {
  std::vector<stock::RegisteredItem> known(1);
  known[0].terms = terms_of(0, "ticket");
  known[0].terms.ends_ms = 1'000;
  known[0].terms.is_ended = true;
  return known;
}

stock::CatalogEntry entry_with_end(int64_t ends_ms) {
  stock::CatalogEntry entry;
  entry.terms = terms_of(kNoItem, "ticket");
  entry.terms.ends_ms = ends_ms;
  return entry;
}

}  // namespace

TEST_SUITE("node/items") {
  TEST_CASE("behind a loss every known item is paused whether its terms have changed or not") {
    std::vector<stock::RegisteredItem> known(2);
    known[0].terms = terms_of(0, "ticket");
    known[1].terms = terms_of(1, "seat");
    node::ItemPlan plan;
    plan.changed.push_back(terms_of(1, "seat"));
    node::pause_all(known, plan);
    REQUIRE(plan.changed.size() == 2);
    CHECK(plan.changed[0].is_paused);
    CHECK(plan.changed[1].is_paused);
  }

  TEST_CASE("a catalog sells nothing again that was ended for good") {
    std::vector<stock::RegisteredItem> known = one_ended();
    node::Notices notices;
    for (const int64_t ends_ms : {0, 1'001}) {
      const stock::CatalogEntry entry = entry_with_end(ends_ms);
      const auto plan = node::merge_catalog(known, {}, {entry}, notices);
      REQUIRE(plan);
      CHECK(plan->changed.empty());
      REQUIRE(!notices.lines().empty());
      CHECK(notices.lines().back().starts_with("item ticket: left as it was: its sale was ended"));
      // The file said so all the time: the operators have changed it since.
      known[0].terms.catalog_sum = stock::catalog_sum_of(entry.terms);
      CHECK(node::merge_catalog(known, {}, {entry}, notices));
      known[0].terms.catalog_sum = 0;
    }
    const auto plan = node::merge_catalog(known, {}, {entry_with_end(1'000)}, notices);
    REQUIRE(plan);
    REQUIRE(plan->changed.size() == 1);
    CHECK(plan->changed[0].is_ended);
  }

  TEST_CASE("what is forgotten without an end for good is ended by the start") {
    std::vector<stock::RegisteredItem> known = one_ended();
    known[0].terms.is_ended = false;
    node::Notices notices;
    const auto left = node::merge_catalog(known, {0}, {entry_with_end(0)}, notices);
    REQUIRE(left);
    REQUIRE(left->changed.size() == 1);
    CHECK(left->changed[0].is_ended);
    CHECK(left->changed[0].ends_ms == 1'000);
    stock::CatalogEntry other = entry_with_end(1'000);
    other.terms.price = 7;
    for (const auto& catalog : {std::vector{other}, std::vector<stock::CatalogEntry>{}}) {
      const auto plan = node::merge_catalog(known, {0}, catalog, notices);
      REQUIRE(plan);
      REQUIRE(plan->changed.size() == 1);
      CHECK(plan->changed[0].is_ended);
      CHECK(plan->changed[0].price == (catalog.empty() ? 0 : 7));
    }
  }

  // A log that has lost its beginning knows no item, and all of them are new.
  TEST_CASE("behind a loss every new item is paused") {
    node::ItemPlan plan;
    plan.new_items.push_back(terms_of(0, "ticket"));
    node::pause_all({}, plan);
    CHECK(plan.new_items[0].is_paused);
  }
}
