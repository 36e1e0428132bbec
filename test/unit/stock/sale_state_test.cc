#include "stock/sale_state.h"

#include <doctest/doctest.h>

using namespace stampede::stock;

TEST_SUITE("stock/sale_state") {
  TEST_CASE("the state of a sale follows its times and its operators") {
    SaleTerms terms;
    CHECK(name_of(state_of(terms, 100)) == "open");
    terms.is_paused = true;
    CHECK(name_of(state_of(terms, 100)) == "paused");
    terms.starts_ms = 101;
    CHECK(name_of(state_of(terms, 100)) == "not_started");
    CHECK(name_of(state_of(terms, 101)) == "paused");
    terms.ends_ms = 200;
    CHECK(name_of(state_of(terms, 199)) == "paused");
    CHECK(name_of(state_of(terms, 200)) == "ended");
    terms.ends_ms = 0;
    terms.is_ended = true;
    CHECK(name_of(state_of(terms, 100)) == "ended");
  }

  TEST_CASE("what was ended for good has no later end") {
    const SaleTerms ended{.ends_ms = 200, .is_ended = true}, over{.ends_ms = 200};
    for (const int64_t ends_ms : {int64_t{0}, int64_t{201}}) {
      CHECK(would_revive(ended, {.ends_ms = ends_ms}));
      CHECK_FALSE(would_revive(over, {.ends_ms = ends_ms}));
    }
    for (const int64_t ends_ms : {199, 200}) CHECK_FALSE(would_revive(ended, {.ends_ms = ends_ms}));
  }
}
