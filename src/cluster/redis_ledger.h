// The ledger in Redis, as one shard's stream uses it: one script call a turn for all items of a group that have something to
// exchange (lua/sync.lua), one call under way at a time, absolute counters, the same number when a call is repeated. One Redis
// has one group; the masters of a cluster share several, all in the same epoch, and a failure of one touches no other.
//
// The coordinator assigns the epoch and the place of each Redis (epoch_link.h). A stream accepts grants of one epoch only, the
// one that its own log has promised; between a promise and the opening it sells the units in its pools.
//
//            assignment: promise E          log durable              assignment: E is open
//   closed ─────────────────────▶ promising ──────────▶ closed, reported ─────────────────▶ open ──exchange()──▶ waiting
//      ▲                                                                                      ▲  ◀──── answer ─────┘
//      └───────── another promise; the answer that the epoch is over ─────────────────────────┴── lost: connect, repeat
//
// A failure of Redis is no failure of an order: the call is repeated until it is answered or until a new epoch makes it void,
// and meanwhile the answer to buyers is to try again.
//
// The ledger of shard 0 also audits for the operators (redis_ledger_audit.cc). Every stream of the node counts its units between
// two exchanges and makes none until Redis was read, so that the stream's counters and those in Redis are of one moment.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/histogram.h"
#include "cluster/epoch_link.h"
#include "cluster/redis_access.h"
#include "ledger/embedded.h"
#include "ledger/ledger.h"
#include "stream_key.h"

namespace stampede::cluster {

class Coordinator;

struct RedisLedgerSettings {
  uint32_t shard = 0;
  uint32_t node = 0;
  uint32_t generation = 0;  // of the data directory
  uint64_t boot = 0;        // which process of the node this is
  uint64_t token = 0;       // of the link's events
  int64_t timeout_ns = 0;   // of a call
  uint32_t group_count = 1;
};

// Counted by the shard, read by metrics (relaxed).
struct RedisLedgerStats {
  std::atomic<uint64_t> calls{0};    // scripts sent, repeats included
  std::atomic<uint64_t> repeats{0};  // of them: the answer to the first had not come
  std::atomic<uint64_t> lines{0};    // items in them
  std::atomic<uint64_t> connects{0};
  std::atomic<uint64_t> disputes{0};  // answers that cannot be true
  Histogram call_ns;                  // from the script to its answer, of calls that were answered
};

class RedisLedger final : public ledger::Ledger, private ScriptLink::Owner {
 public:
  RedisLedger(const RedisLedgerSettings& settings, RedisAccess& redis, net::Net& net,
              EpochLink& link, ledger::LedgerLanes& lanes);

  uint32_t group_count() const override { return settings_.group_count; }
  uint32_t ready_groups() const override;
  uint32_t available_groups() const override;
  void exchange(ledger::Client& client, std::span<const LedgerAsk> asks, Moment now) override;
  void poll(ledger::Client& client, Moment now) override;
  bool has_mail() const override;
  uint64_t take_touched() override { return std::exchange(touched_, 0); }
  bool is_mine(uint64_t token) const override;
  void on_event(const net::Event& event) override;
  int64_t quiet_until_ns() const override;

  // Shard 0's: false when too many are under way.
  [[nodiscard]] bool audit(ItemId item, uint32_t ticket);
  std::vector<ledger::AuditResult> take_audits() { return std::exchange(audit_results_, {}); }

  const RedisLedgerStats& stats() const { return stats_; }

 private:
  // The exchange that is not answered yet; kept so that it can be repeated.
  struct Call {
    bool is_under_way = false;
    bool is_sent = false;
    uint64_t number = 0;
    int64_t deadline_ns = 0;
    int64_t repeat_at_ns = 0, backoff_ns = 0;  // when it was refused
    std::vector<LedgerAsk> asks;
  };
  struct Line {
    int64_t accepted, returned, free, pool_elsewhere;
  };
  // The answer that the link has brought, until poll() takes it.
  struct Answer {
    bool has_come = false, is_refusal = false;
    std::string status;
    uint64_t number = 0;
    std::vector<Line> lines;
  };
  // A Redis, kept connected.
  struct Master {
    RedisServer server;
    std::unique_ptr<ScriptLink> link;
    int64_t connect_at_ns = 0, up_by_ns = 0, backoff_ns = 0;
  };
  struct Group {
    Master* master = nullptr;  // null: the coordinator has not found it yet
    uint64_t open = 0;         // the epoch in which exchanges may be made; 0: none
    uint64_t last_number = 0;
    uint32_t opening = 0;  // how many times it was opened
    bool may_owe =
        false;  // exchanges were made in this epoch before: an answer to one may have been lost
    bool is_answering = false;  // since the link was made
    Call call;
    Answer answer;

    bool is_up() const { return open != 0 && master != nullptr && master->link->is_up(); }
  };
  struct AuditedItem {
    uint32_t ticket = 0;
    ItemId item = kNoItem;
    std::vector<StreamCount> counts;  // of the node's streams
  };

  uint32_t number_of(const Group& group) const {
    return static_cast<uint32_t>(&group - groups_.data());
  }
  void take_assignment(ledger::Client& client);
  void make_promise(ledger::Client& client);
  void find_masters();
  Master& master_at(const RedisServer& server);
  void report_promise(ledger::Client& client);
  void keep_connected(Master& master, Moment now);
  void keep_calling(Group& group, ledger::Client& client, Moment now);
  void send_call(Group& group, ledger::Client& client, Moment now);
  void flush();
  void take_answer(Group& group, ledger::Client& client, Moment now);
  void postpone(Group& group, Moment now);
  void take_lines(Group& group, ledger::Client& client);
  bool was_known(const Group& group, ItemId item, ledger::Client& client) const;
  void lose_item(Group& group, ItemId item, ledger::Client& client);
  bool may_bring_lost(const Group& group, ItemId item);
  bool is_possible(bool may_bring_lost, const LedgerAsk& ask, const Line& line,
                   ledger::Client& client);
  void lose_epoch(Group& group, bool needs_new_one);

  // ScriptLink::Owner
  void on_answer(Script script, uint32_t group, uint64_t number, const redisReply& answer) override;
  void on_refusal(Script script, uint32_t group) override;

  void take_lane_messages(ledger::Client& client, Moment now);
  void count_for_audits(ledger::Client& client, Moment now);
  void start_audit(ledger::Client& client, Moment now);
  void send_audit(ledger::Client& client, Moment now);
  bool is_audit_at(const Master& master) const;
  void take_audit(const redisReply& answer);
  void finish_audit(const redisReply* answer);
  void repeat_audit(Moment now);
  AuditLine audit_line(const AuditedItem& audited, const redisReply& hash) const;
  void send(uint32_t to, const ledger::LedgerMessage& message);
  std::string stream_of(uint32_t shard) const;

  RedisLedgerSettings settings_;
  EpochLink& epoch_link_;
  ledger::LedgerLanes& lanes_;
  RedisAccess& redis_;
  net::Net& net_;
  std::string node_text_, boot_text_, stream_;

  uint64_t assignment_number_ = 0;
  Assignment assignment_;
  uint64_t promised_ = 0, promise_lsn_ = 0;
  bool is_promise_reported_ = true;
  std::vector<std::unique_ptr<Master>> masters_;  // null: free; the place is part of the token
  std::vector<Group> groups_;
  bool has_answers_ = false;  // that poll() has not taken
  // By item: in which opening of its group its first answer came. If exchanges were made in the epoch before, that one may
  // bring units that were granted then, and lost.
  std::vector<uint32_t> answered_in_;
  // Items of which more is held than was supplied: the opening in which that was reported.
  std::map<ItemId, uint32_t> doubted_in_;
  std::vector<std::string> words_;  // of the call being written; kept for their memory
  std::vector<std::string_view> views_;

  // Audits of which this stream has been asked to count, and how many hold its exchanges back.
  std::vector<ledger::LedgerMessage> marks_;
  uint32_t holds_ = 0;
  int64_t hold_until_ns_ = 0;
  uint64_t touched_ = 0;
  // Shard 0's audits: those that wait, and those under way, which are of one group.
  std::vector<std::pair<ItemId, uint32_t>> audits_waiting_;
  std::vector<AuditedItem> audits_;
  uint32_t audit_group_ = 0;
  uint32_t audit_attempt_ = 0;  // an answer to an earlier one is of a moment that has passed
  uint32_t counts_awaited_ = 0;
  bool is_audit_sent_ = false;
  std::optional<ItemId>
      lost_in_audit_;  // Redis did not know it, and streams of this node hold units of it
  int64_t audit_deadline_ns_ = 0;  // of the attempt
  int64_t audit_give_up_ns_ = 0;   // of all attempts
  std::vector<ledger::AuditResult> audit_results_;
  RedisLedgerStats stats_;
};

}  // namespace stampede::cluster
