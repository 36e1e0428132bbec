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

  // A log that has lost its beginning knows no item, and all of them are new.
  TEST_CASE("behind a loss every new item is paused") {
    node::ItemPlan plan;
    plan.new_items.push_back(terms_of(0, "ticket"));
    node::pause_all({}, plan);
    CHECK(plan.new_items[0].is_paused);
  }
}
