// A change that makes an item's sale hidden, beside a reload of keys that no hidden sale can do without: one of the two is
// refused, whichever step of the one the other comes at.
#include <utility>

#include "operators_rig.h"
#include "shard/admission.h"

namespace stampede::shard {
namespace {

constexpr uint32_t kPut = 1;
constexpr int kTurns = 8;
constexpr std::string_view kCode = "hidden";

// Has every item, and answers a turn after it was asked.
struct AgreeingSupply final : ledger::SharedSupply {
  bool audit(ItemId, uint32_t) override { return false; }
  std::vector<ledger::AuditResult> take_audits() override { return {}; }
  std::vector<ledger::StockChange> take_changes() override {
    return std::exchange(answers, std::exchange(asked, {}));
  }
  void add(std::string_view, std::string_view, Units stock, uint32_t ticket) override {
    asked.push_back({.ticket = ticket, .supplied = stock});
  }
  void restock(std::string_view, std::string_view, int64_t, uint32_t) override {}
  void note_recorded(std::string_view, Units) override {}
  void offer_terms(std::string_view, std::string, std::string) override {}

  std::vector<ledger::StockChange> asked, answers;
};

SharedKeys keys_of(bool has_links) {
  door::Keys keys;
  keys.tickets.emplace_back("k1", door::Secret{1});
  if (has_links) keys.links.emplace_back("k1", door::Secret{2});
  return std::make_shared<const door::Keys>(keys);
}

// At which turn each thing happens, and whether the log is durable at once.
struct Order {
  int put, deliver;
  bool is_put_first, is_durable_late;
};

void deliver_keys(OperatorsRig& rig) {
  const auto made = std::make_shared<Reload>();
  made->what = "keys from k.json";
  made->keys = keys_of(false);
  CHECK(rig.process.reload.deliver(made) != Delivery::full);
}

// The keys and a catalog that they can sell.
std::shared_ptr<Reload> reload_with_catalog(bool is_hidden) {
  auto entries = std::make_shared<std::vector<stock::CatalogEntry>>();
  if (is_hidden) {
    entries->emplace_back().stock = 5;
    entries->back().terms.code = kCode;
    entries->back().terms.has_hidden_link = true;
  }
  auto made = std::make_shared<Reload>();
  made->what = "keys from k.json";
  made->keys = keys_of(is_hidden);
  made->catalog = entries;
  return made;
}

void put_hidden(OperatorsRig& rig) {
  rig.changes->put(rig.by(kPut), kCode, R"({"stock":5,"hidden_link":true})", rig.now);
}

void play(OperatorsRig& rig, const Order& order) {
  for (int turn = 0; turn < kTurns; ++turn) {
    if (order.is_put_first && turn == order.put) put_hidden(rig);
    if (turn == order.deliver) deliver_keys(rig);
    if (!order.is_put_first && turn == order.put) put_hidden(rig);
    if (!order.is_durable_late) rig.sync();
    rig.turn();
    rig.poll_all();
    for (uint32_t shard = 1; shard < rig.process.shard_count; ++shard) rig.take_terms(shard);
    for (uint32_t shard = 0; shard < rig.process.shard_count; ++shard) rig.take_rules(shard);
  }
  rig.settle();
}

// Exactly one of the two has happened: the sale is hidden and its keys are there, or neither.
void check_outcome(OperatorsRig& rig) {
  const ItemId item = rig.catalog.find(kCode);
  const bool is_hidden = item != kNoItem && rig.catalog.sale(item).has_hidden_link;
  const bool has_links = !rig.process.keys.load()->links.empty();
  CHECK(is_hidden == has_links);
  CHECK(rig.process.reload.succeeded == (has_links ? 0 : 1));
  CHECK((rig.answers.at(kPut).refusal == Verdict::ok) == is_hidden);
}

template <typename Play>
void in_every_order(Play play_one) {
  for (int put = 0; put < kTurns; ++put)
    for (int deliver = 0; deliver < kTurns; ++deliver)
      for (const bool is_put_first : {false, true})
        for (const bool is_durable_late : {false, true}) {
          CAPTURE(put);
          CAPTURE(deliver);
          CAPTURE(is_put_first);
          CAPTURE(is_durable_late);
          play_one(Order{put, deliver, is_put_first, is_durable_late});
        }
}

TEST_SUITE("shard/keys_needed") {
  TEST_CASE("of a hidden sale and keys without links one is refused in every order") {
    for (const uint32_t shards : {1U, 2U})
      for (const bool is_known : {false, true})
        in_every_order([&](const Order& order) {
          CAPTURE(shards);
          CAPTURE(is_known);
          OperatorsRig rig(shards);
          rig.process.keys.store(keys_of(true));
          if (is_known) rig.add_item(kCode, 5);
          play(rig, order);
          check_outcome(rig);
        });
  }

  TEST_CASE("a hidden sale that waits for a shared ledger needs its keys already") {
    for (const uint32_t shards : {1U, 2U})
      in_every_order([&](const Order& order) {
        CAPTURE(shards);
        AgreeingSupply supply;
        OperatorsRig rig(shards, &supply);
        rig.process.keys.store(keys_of(true));
        play(rig, order);
        check_outcome(rig);
      });
  }

  TEST_CASE("a catalog whose keys are replaced before its hidden sale is taken up hides nothing") {
    for (int room = 0; room < kTurns; ++room)
      for (int second = 0; second < kTurns; ++second) {
        CAPTURE(room);
        CAPTURE(second);
        OperatorsRig rig;
        rig.has_log_room = false;
        Delivery outcome = Delivery::full;
        REQUIRE(rig.process.reload.deliver(reload_with_catalog(true)) == Delivery::done);
        for (int turn = 0; turn < 2 * kTurns; ++turn) {
          if (turn == room) rig.has_log_room = true;
          if (turn >= second && outcome == Delivery::full)
            outcome = rig.process.reload.deliver(reload_with_catalog(false));
          rig.sync();
          rig.turn();
        }
        rig.settle();
        const bool is_hidden = rig.catalog.find(kCode) != kNoItem;
        CHECK(is_hidden == !rig.process.keys.load()->links.empty());
        CHECK(is_hidden == (outcome == Delivery::lacks_keys));
      }
  }

  TEST_CASE("a sale that was ended needs no keys") {
    stock::SaleTerms terms;
    terms.has_hidden_link = terms.has_proof = true;
    CHECK(kinds_needed(terms) == (kLinkKeys | kProofKeys));
    terms.is_ended = true;
    CHECK(kinds_needed(terms) == 0);
  }
}

}  // namespace
}  // namespace stampede::shard
