// What a node agrees on with the others before it sells.
#include "node/join.h"

#include <doctest/doctest.h>

#include "../cluster/shared_registry.h"
#include "../orderlog/rig.h"

namespace stampede::node {
namespace {

using cluster::SharedRegistry;

stock::CatalogEntry ticket(Units stock, Money price) {
  stock::CatalogEntry entry = stock::demo_entry();
  entry.stock = stock;
  entry.terms.price = price;
  return entry;
}

// A fresh node that shares a registry which the test keeps in its hands.
struct Fixture {
  orderlog::ScratchDir scratch;
  Data data{scratch.path() + "/data", Data::Use::serving};
  SharedRegistry* registry = new SharedRegistry;  // the join's
  Join join{std::unique_ptr<cluster::Registry>(registry)};
  Findings findings;
  Notices notices;
  ItemPlan plan;

  Fixture() {
    REQUIRE_FALSE(data.open_to_serve({.node = 3, .shard_count = 1}, findings));
    REQUIRE_FALSE(data.restore({.order_cells = 100}, findings));
  }
  std::string uuid() const { return orderlog::text_of(data.manifest().log_uuid); }
  LedgerState look() {
    join.refuse_stranger(data, 3, findings);
    return findings.evidence.ledger;
  }
  void merge(Units stock, Money price = 100) {
    Result<ItemPlan> merged = merge_catalog(data.items(), {}, {ticket(stock, price)}, notices);
    REQUIRE(bool(merged));
    plan = *merged;
  }
};

}  // namespace

TEST_SUITE("node/join") {
  TEST_CASE_FIXTURE(Fixture, "a number that nobody has and one's own are open") {
    CHECK(look() == LedgerState::open);
    REQUIRE(bool(registry->enroll(3, uuid())));
    REQUIRE(bool(registry->enroll(4, "another")));
    CHECK(look() == LedgerState::open);
  }
  TEST_CASE_FIXTURE(Fixture, "a number of another directory is refused with both") {
    REQUIRE(bool(registry->enroll(3, "another")));
    CHECK(look() == LedgerState::stranger);
    const Verdict verdict = judge(findings.evidence);
    CHECK(verdict.exit_code == kExitUsage);
    CHECK(findings.ending_of(verdict).message.find("another") != std::string::npos);
  }
  TEST_CASE_FIXTURE(Fixture, "a retired directory is refused under any number") {
    REQUIRE(bool(registry->enroll(5, uuid())));
    REQUIRE(bool(registry->retire(5, {})));
    CHECK(look() == LedgerState::fenced);
    CHECK(judge(findings.evidence) == refuse(Reason::fenced));
  }
  TEST_CASE_FIXTURE(Fixture, "a registry that is away ends no start but a new item needs it") {
    registry->set_down(true);
    CHECK(look() == LedgerState::away);
    CHECK(judge(findings.evidence).course == Course::go_on);
    merge(10);
    const MayEnd end = join.agree_on_supply(data, plan, notices);
    REQUIRE(end);
    CHECK(end->exit_code == kExitFailure);
    CHECK_FALSE(join.agree_on_terms(data, plan, notices));
    CHECK(join.take_open_offers().size() == 1);
  }
  TEST_CASE_FIXTURE(Fixture, "the first node's stock counts") {
    merge(10);
    const std::string code = plan.new_supplies[0].item;
    const std::vector<cluster::Supply> first = {{.item = code, .supplied = 70, .withdrawn = 20}};
    REQUIRE(bool(registry->add_items(first)));
    REQUIRE_FALSE(join.agree_on_supply(data, plan, notices));
    CHECK(plan.new_supplies[0].supplied == 70);
    CHECK(plan.new_supplies[0].withdrawn == 20);
    CHECK(notices.lines().size() == 1);
  }
  TEST_CASE_FIXTURE(Fixture, "a new catalog that contradicts the other nodes is refused") {
    merge(10, 100);
    REQUIRE_FALSE(join.agree_on_supply(data, plan, notices));
    REQUIRE_FALSE(join.agree_on_terms(data, plan, notices));
    merge(10, 250);
    const MayEnd end = join.agree_on_terms(data, plan, notices);
    REQUIRE(end);
    CHECK(end->exit_code == kExitUsage);
  }
  // Another node may have put it on sale again before it had forgotten its orders.
  TEST_CASE_FIXTURE(Fixture, "an item that the start ends for good is offered to nobody") {
    merge(10, 100);
    REQUIRE_FALSE(join.agree_on_supply(data, plan, notices));
    REQUIRE_FALSE(join.agree_on_terms(data, plan, notices));
    stock::ItemTerms terms = plan.new_items[0];
    terms.price = 250;
    REQUIRE(bool(data.streams()[0].state->apply(stock::record_of(terms), 1, {})));
    plan = {.new_items = {}, .new_supplies = {}, .changed = {terms}};
    CHECK(join.agree_on_terms(data, plan, notices));
    plan.changed[0].is_ended = true;
    CHECK_FALSE(join.agree_on_terms(data, plan, notices));
  }
}

}  // namespace stampede::node
