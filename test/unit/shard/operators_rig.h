// The operators' side without a shard around it: real state, catalog, ledger and lanes; a log that
// becomes durable when the test says so, and answers that are kept for the test.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "../ledger/embedded_client.h"
#include "base/hash.h"
#include "ledger/embedded.h"
#include "shard/item_changes.h"
#include "shard/rules_changes.h"

// Behind the headers of the server, whose CHECK means the other thing.
#include <doctest/doctest.h>

namespace stampede::shard {

// A stream that leases nothing: what a shard is to the ledger while nobody buys.
struct IdleStream final : ledger::EmbeddedClient {
  void take_news(const LedgerNews& news) override { tells.push_back(news); }
  StreamCount count(ItemId) override { return {}; }
  std::vector<LedgerNews> tells;
};

class OperatorsRig : public ChangeHost {
 public:
  // `shared`: a supply that other nodes share, in place of the node's own.
  explicit OperatorsRig(uint32_t shards = 3, ledger::SharedSupply* shared = nullptr)
      : process(shards), streams(shards) {
    process.shards_running = shards;
    for (uint32_t shard = 0; shard < shards; ++shard)
      ledgers.push_back(
          std::make_unique<ledger::EmbeddedLedger>(shard, process.ledger, ledger::Book(shards)));
    const ledger::OperatorsLink supply =
        shared != nullptr ? ledger::OperatorsLink(*shared) : ledger::OperatorsLink(*ledgers[0]);
    changes = std::make_unique<ItemChanges>(*this, state, catalog, supply, process);
    rules = std::make_unique<RulesChanges>(*this, state, process);
  }

  // ChangeHost
  Lsn append(const orderlog::Record& record) override {
    std::byte bytes[bounds::record_bytes_max];
    REQUIRE(orderlog::encode(record, std::span(bytes).first(orderlog::encoded_bytes(record))) > 0);
    ++appended;
    REQUIRE(bool(state.apply(record, appended, now)));
    if (const auto* admin = std::get_if<orderlog::Admin>(&record)) {
      acts.push_back(std::string(admin->what));
      actors.push_back(std::string(admin->who));
    }
    return appended;
  }
  bool has_room() const override { return has_log_room; }
  Lsn durable() const override { return durable_lsn; }
  void complete(ReplyTo place, TextAnswer answer) override {
    REQUIRE(!answers.contains(place.place));
    answers[place.place] = std::move(answer);
    if (on_answer) on_answer();
  }
  void publish(const stock::ItemTerms& terms) override { catalog.upsert(terms); }
  bool is_over_retention(const stock::SaleTerms& terms, Moment) const override {
    return terms.ends_ms != 0 && terms.ends_ms < over_below_ms;
  }
  void take_catalog(SharedEntries entries, std::string_view who) override {
    changes->take_catalog(std::move(entries), who);
  }
  bool is_taking_catalog() const override { return changes->is_taking_catalog(); }
  const LeftOfCatalog& left_of_catalog() const override { return changes->left_of_catalog(); }

  static Operator by(uint32_t place, std::string_view who = "127.0.0.1:40000") {
    return {.place = {.place = place}, .who = who};
  }
  void sync() { durable_lsn = appended; }
  void turn() {
    changes->turn(now);
    rules->turn(now);
  }
  // One look of a shard into its ledger mail.
  void poll(uint32_t shard) { ledgers[shard]->poll(streams[shard], now); }
  void poll_all() {
    for (uint32_t shard = 0; shard < ledgers.size(); ++shard) poll(shard);
  }
  // Turns until nothing is under way any more.
  void settle() {
    for (int turns = 0; turns < 8; ++turns) {
      sync();
      turn();
      poll_all();
      for (uint32_t shard = 1; shard < process.shard_count; ++shard) take_terms(shard);
      for (uint32_t shard = 0; shard < process.shard_count; ++shard) take_rules(shard);
    }
  }
  // What a shard does in its turn.
  void take_rules(uint32_t shard) { *process.rules_taken[shard] = process.rules_number.load(); }
  std::vector<stock::ItemTerms> take_terms(uint32_t shard) {
    std::vector<stock::ItemTerms> taken;
    process.terms[shard]->take(bounds::control_slots,
                               [&](const stock::ItemTerms& terms) { taken.push_back(terms); });
    return taken;
  }

  ItemId add_item(std::string_view code, Units stock) {
    changes->put(by(next_place), code, "{\"stock\":" + std::to_string(stock) + "}", now);
    settle();
    REQUIRE(answers.at(next_place).status == http::StatusCode::created);
    ++next_place;
    return catalog.find(code);
  }
  void restock(uint32_t place, ItemId item, std::string_view op_id, int64_t delta) {
    changes->restock(
        by(place), item,
        "{\"op_id\":\"" + std::string(op_id) + "\",\"delta\":" + std::to_string(delta) + "}", now);
  }
  bool is_answered(uint32_t place) const { return answers.contains(place); }
  bool says(uint32_t place, std::string_view words) const {
    return answers.at(place).body.find(words) != std::string::npos;
  }
  const stock::RegisteredItem& item(ItemId id) const { return state.items().at(id); }

  // What the ledger itself says, by an audit.
  AuditLine books(ItemId item) {
    REQUIRE(ledgers[0]->audit(item, 1));
    for (int turns = 0; turns < 4; ++turns) poll_all();
    const std::vector<ledger::AuditResult> results = ledgers[0]->take_audits();
    REQUIRE(results.size() == 1);
    return results[0].line;
  }

  static constexpr HashKey kKey{};
  Process process;
  stock::StreamState state{kKey, 16};
  stock::Catalog catalog{kKey};
  std::vector<IdleStream> streams;
  std::vector<std::unique_ptr<ledger::EmbeddedLedger>> ledgers;
  std::unique_ptr<ItemChanges> changes;
  std::unique_ptr<RulesChanges> rules;
  Moment now{.wall_ns = 1'795'000'000 * kSecond, .boot_ns = 1000 * kSecond};

  int64_t over_below_ms =
      0;  // an item that ended before is over for so long that it may be forgotten
  bool has_log_room = true;
  Lsn appended = 0, durable_lsn = 0;
  std::map<uint32_t, TextAnswer> answers;  // by place
  std::function<void()> on_answer;         // what other shards do in the middle of a turn
  std::vector<std::string> acts, actors;   // what and who of the Admin records
  uint32_t next_place = 1'000'000;
};

}  // namespace stampede::shard
