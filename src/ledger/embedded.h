// The ledger inside the process: each item's book lives on one shard (hash of the item mod shards) and is asked by
// mailbox, asynchronously, just as a remote ledger would be. Every shard owns one EmbeddedLedger: as a stream it sends
// asks and takes news; as the home of some items' books it answers asks.
//
// A lane delivers in order and loses nothing, so an exchange needs no sequence numbers and no retry; unasked news is left out
// before it is sent when the lane is crowded. The order of a lane
// also makes the audit a consistent cut (Chandy and Lamport 1985): the book notes its counters, sends a marker down every
// lane, and each stream counts when the marker reaches it, after all grants that the book had given before and before any
// later one. Returns that were under way at that moment still count as leased.
//
//   shard 0            book's shard                    streams
//      ── audit_ask ──▶ notes free, a, r
//                          ── audit_marker ────────▶ count A, R, H, P
//                          ◀───────── audit_count ──
//      ◀── audit_sum ──  A = a? R ≥ r? sums
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/hash.h"
#include "base/lane.h"
#include "ledger/book.h"
#include "ledger/ledger.h"
#include "ledger/operators.h"

namespace stampede::ledger {

struct LedgerMessage {
  enum class Kind : uint8_t {
    ask,            // returned, pool, want
    answer,         // to an ask: accepted, returned, free, pool_elsewhere
    news,           // the same, unasked
    supply,         // supplied
    withdraw,       // units
    withdrawn,      // whether it was done, free
    audit_ask,      //
    audit_marker,   //
    audit_count,    // accepted, returned, reserved, paid, pool
    audit_release,  // shared ledger: exchanges may go on
    audit_sum,      // total, free, leased, reserved, paid; is_ok
  };
  Kind kind = Kind::ask;
  bool is_ok = false;
  uint16_t from = 0;
  ItemId item = kNoItem;
  uint32_t ticket = 0;  // of an audit, an attempt at one, or a withdrawal
  Units values[5] = {};
};

// The lanes of all shards, made before the threads start.
class LedgerLanes {
 public:
  explicit LedgerLanes(uint32_t shard_count);
  Lane<LedgerMessage>& lane(uint32_t from, uint32_t to) {
    return *lanes_[from * shard_count_ + to];
  }
  uint32_t shard_count() const { return shard_count_; }

 private:
  uint32_t shard_count_;
  std::vector<std::unique_ptr<Lane<LedgerMessage>>> lanes_;
};

class EmbeddedLedger final : public Ledger, public OwnSupply {
 public:
  EmbeddedLedger(uint32_t shard, LedgerLanes& lanes, Book book);

  uint32_t group_count() const override { return 1; }
  uint32_t ready_groups() const override { return answers_awaited_ == 0 ? 1 : 0; }
  uint32_t available_groups() const override { return 1; }
  void exchange(Client& client, std::span<const LedgerAsk> asks, Moment now) override;
  void poll(Client& client, Moment now) override;

  uint64_t take_touched() override { return std::exchange(touched_, 0); }
  bool has_mail() const override;

  // OwnSupply; shard 0 only. The lane to the item's book must have more room than exchanges and audits may use.
  bool has_room_for_change(ItemId item) const override {
    return lanes_.lane(shard_, home_of(item)).room() >= bounds::ledger_slots / 2;
  }
  void supply(ItemId item, Units supplied) override;
  void withdraw(ItemId item, Units units, uint32_t ticket) override;
  bool audit(ItemId item, uint32_t ticket) override;
  std::vector<StockChange> take_changes() override { return std::exchange(changes_, {}); }
  std::vector<AuditResult> take_audits() override { return std::exchange(audit_results_, {}); }

 private:
  struct Audit {
    uint32_t ticket = 0;
    uint32_t counts_awaited = 0;
    AuditLine line;
    std::vector<StreamCount> noted;  // the book's a and r when the markers left
  };

  uint32_t home_of(ItemId item) const {
    return static_cast<uint32_t>(mix(item) % lanes_.shard_count());
  }
  void send(uint32_t to, LedgerMessage message);
  void take(const LedgerMessage& message, Client& client);
  void answer_ask(const LedgerMessage& message);
  void spread_news(ItemId item, uint32_t except);
  void begin_audit(const LedgerMessage& message);
  void add_count(const LedgerMessage& message);

  uint32_t shard_;
  LedgerLanes& lanes_;
  Book book_;
  uint32_t answers_awaited_ = 0;
  uint32_t audits_asked_ = 0;
  uint64_t touched_ = 0;
  std::vector<Audit> audits_;
  std::vector<StockChange> changes_;
  std::vector<AuditResult> audit_results_;
};

}  // namespace stampede::ledger
