// Operators' changes of items while they are sold: new items, new terms, pause, resume, end and restock. What the door goes by
// is changed in rules_changes.h.
//
// Nothing takes effect on another shard before its record is durable, and the operator hears of
// success only when the change has taken effect; so a change goes through steps, a turn or more
// each:
//
//   new item     record ─▶ durable ─▶ ledger supplied ─▶ ledger has taken it ─▶ shards told ─▶ shards know ─▶ 201
//   new terms    record ─▶ durable ─▶ shards told ─▶ shards know ─▶ 200
//   more stock   record ─▶ durable ─▶ ledger supplied ─▶ 200
//   less stock   ledger has taken the units off sale ─▶ record ─▶ durable ─▶ 200
//
// With a ledger that other nodes share, how many units there are is decided there and once for all nodes:
//
//   new item     ledger knows it ─▶ record ─▶ durable ─▶ shards told ─▶ shards know ─▶ 201
//   stock        ledger has added or taken the units ─▶ record ─▶ durable ─▶ 200
//
// The order is what keeps the promise. A shard that heard of a new item before its ledger has the
// units would answer sold_out, which is not true yet. Units are withdrawn from the ledger before
// the record says so, because only the ledger knows whether they are free; a crash in between
// leaves them on sale, as the log says.
//
// A restock is applied once per op_id, and one answer says so: a repeat, of one under way or of an earlier one, is told
// that it had been applied; the former waits for it first. The op_id of another change is refused. Belongs to shard 0's thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "ledger/operators.h"
#include "orderlog/record.h"
#include "shard/admin_routes.h"
#include "shard/admission.h"
#include "shard/change_host.h"
#include "shard/reload.h"
#include "shard/shard.h"
#include "stock/catalog_json.h"
#include "stock/stream_state.h"

namespace stampede::shard {

class ItemChanges {
 public:
  // The references outlive this. `catalog` and `state` are shard 0's.
  ItemChanges(ChangeHost& host, const stock::StreamState& state, const stock::Catalog& catalog,
              const ledger::OperatorsLink& ledger, Process& process);

  void put(const Operator& by, std::string_view code, std::string_view body, Moment now);
  // AdminKind::pause, resume or end.
  void set_sale(const Operator& by, AdminKind action, ItemId item, Moment now);
  void restock(const Operator& by, ItemId item, std::string_view body, Moment now);

  // As a start would take it up: new items are sold, terms that differ from those the catalog had replace what there is, the stock
  // of known items stays. A bounded part of it a turn; the last one that was given counts.
  void take_catalog(SharedEntries entries, std::string_view who);
  [[nodiscard]] bool is_taking_catalog() const;
  [[nodiscard]] const LeftOfCatalog& left_of_catalog() const { return left_; }

  // Goes on with everything that can go on. Once per turn, behind the write of the log. Before orders of an item may be forgotten
  // it is ended for good, by a change like an operator's; some items are looked at in each turn.
  void turn(Moment now);
  bool has_some() const { return !changes_.empty() || entries_; }
  // Something waits for room and not for an event that wakes the shard.
  bool wants_turn() const { return wants_turn_; }

 private:
  enum class Step : uint8_t {
    agree,      // the shared ledger has answered
    withdraw,   // when the lane to the ledger has room: units off sale, please
    withdrawn,  // the ledger has answered
    record,     // when the log has room: the record
    sync,       // `lsn` is durable
    supply,     // when the lane to the ledger has room: more units
    supplied,   // the ledger has taken them
    tell,       // when the lanes to the shards have room: the terms
    known,      // every shard has taken them
    done,
  };
  struct Change {
    Step step = Step::sync;  // what it waits for
    ItemId item = kNoItem;
    Lsn lsn = 0;
    uint32_t ticket = 0;         // of its question to the ledger
    uint64_t untold = 0;         // shards that have not been told, a bit each
    ledger::StockChange agreed;  // shared ledger: what it has decided
    bool is_new = false;         // the shards are told only when the ledger has the units
    std::string terms_before;    // as JSON; empty: it is new
    std::optional<stock::ItemTerms> terms;  // for the shards
    std::optional<Units> supplied;          // for the ledger
    Restock restock;
    bool is_of_catalog = false;  // nobody waits for its answer
    std::string who;
    TextAnswer answer;
    std::optional<TextAnswer> answer_to_repeats;  // if it is another one
    std::vector<ReplyTo> places;                  // the operator's, then those of repeats
  };

  bool admit(ReplyTo place, KeyKinds keys_needed);
  Change& begin(const Operator& by, ItemId item);
  Change& begin_of_catalog(ItemId item);
  void end_what_is_over(Moment now);
  void record(Change& change, std::string_view what, Moment now);
  void put_new(const Operator& by, const stock::ItemChange& change, Moment now);
  void put_known(const Operator& by, ItemId item, const stock::ItemChange& change, Moment now);
  void record_terms(Change& change, const stock::ItemTerms& terms, std::string_view what,
                    Moment now);
  void record_terms(const Operator& by, const stock::ItemTerms& terms, std::string_view what,
                    Moment now);
  void record_restock(Change& change, Moment now);
  std::string other_use_of(const Restock& asked, ItemId item);
  Change* find_restock(std::string_view op_id);
  bool is_under_way(std::string_view new_code) const;
  std::string objection_to_new(const stock::ItemTerms& terms, const door::Keys* keys) const;

  void take_entries(Moment now);
  bool take_entry(const stock::CatalogEntry& entry, Moment now);
  void take_known(ItemId item, stock::ItemTerms terms, Moment now);
  void find_product(stock::ItemTerms& terms) const;
  void leave(const stock::ItemTerms& terms, const char* why);
  void refuse(const stock::ItemTerms& terms, const char* why);
  void take_answers();
  void take_agreement(Change& change, const ledger::StockChange& answer);
  void record_new_item(Change& change, Units supplied, Units withdrawn, Moment now);
  void advance(Change& change, Moment now);
  bool send_withdrawal(Change& change);
  bool send_supply(Change& change);
  bool tell_shards(Change& change);
  bool have_shards_taken_terms() const;
  void after_sync(Change& change);
  void finish(Change& change);

  ChangeHost& host_;
  const stock::StreamState& state_;
  const stock::Catalog& catalog_;
  ledger::OperatorsLink ledger_;
  Process& process_;
  std::vector<Change> changes_;
  SharedEntries entries_;  // null: none is being taken up
  size_t next_entry_ = 0;
  std::string entries_who_;
  ItemId next_looked_at_ = 0;
  int64_t next_look_ns_ = 0;  // on the boot clock
  LeftOfCatalog left_;
  uint32_t last_ticket_ = 0;
  bool wants_turn_ = false;
  // Within one turn: an earlier change could not go on, so a later one may not overtake it.
  bool is_supply_blocked_ = false, is_telling_blocked_ = false;
};

}  // namespace stampede::shard
