// A node's part in the epochs of the shared ledger. It watches Redis, promises, begins epochs and joins them, so that the shards
// need only exchange.
//
//                     ┌───────────────────── Redis' answer (lua/check.lua) ──────────────────────┐
//      open, joined   │ nothing to do: the shards exchange                                       │
//      recovering     │ promise the epoch in every log, then JOIN; wait for the others           │
//      gone, rolled,  │ begin an epoch: number and members from the registry, promise, BUMP,     │
//      no member of it│ FILL with the registry's part, JOIN                                      │
//                     └──────────────────────────────────────────────────────────────────────────┘
//
// The order within an epoch is the proof. Before any counter of epoch E reaches Redis, every stream of every member has durably
// promised E, and so accepts no grant of an earlier epoch ever again. The scripts check at every call that this Redis is still the
// one that opened E. So no unit can be granted twice, even when Redis forgets everything.
//
// The groups of a Redis Cluster go through this side by side, each at its own master, with one promise and one number for
// each epoch: what is proved of one group holds for all. A master that cannot be reached, or refuses to be written to, stops its
// own groups alone. When one group needs an epoch, the epoch begins at all of them. A group that was out of reach then is behind,
// and needs the next: at once, and less and less often while that does not open it.
//
// A step makes blocking calls with deadlines and waits for nothing else: a promise of the shards and the pause before an epoch is
// begun are states that later steps go on from. Otherwise each step reads the present state and goes on from that, so a crash, a
// timeout or another node's epoch at any point is just another state to find. The owner starts the thread, or makes the steps.
//
//   coordinator.cc           the thread, its steps, its status
//   coordinator_look.cc      the masters' answers and what follows from them
//   coordinator_begin.cc     a new epoch
//   coordinator_join.cc      promise and JOIN
//   coordinator_changes.cc   supply, operators' changes
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "cluster/epoch_check.h"
#include "cluster/epoch_link.h"
#include "cluster/join_lines.h"
#include "cluster/redis_access.h"
#include "cluster/registry.h"
#include "cluster/terms.h"
#include "ledger/operators.h"
#include "stream_key.h"

namespace stampede::cluster {

struct CoordinatorSettings {
  uint32_t node = 0;
  std::string uuid;  // of the data directory
  uint32_t generation = 1;
  uint32_t shard_count = 1;
  uint64_t boot = 0;
  int64_t timeout_ms = 1'000;
  RedisUrl url;
  bool is_solo = false;   // the registry is this node's own: no other may share the Redis
  uint64_t promised = 0;  // the highest promise of the logs at start
  uint32_t seed = std::random_device{}();  // of the pauses that keep nodes from beginning at once
};

// The state that readiness, status and metrics show.
struct CoordinatorStatus {
  bool is_open = false;
  uint64_t epoch = 0;
  uint64_t epochs_begun = 0, epochs_joined = 0;
  std::string server;   // addresses of the masters in use; empty: none
  std::string problem;  // why nothing is granted, or not of every item; empty: nothing is wrong
  std::vector<uint32_t> missing;  // members that the others wait for
};

class Coordinator {
 public:
  // The references outlive this; `links` has one per shard. `wake_shard0` is called when changes are answered.
  Coordinator(CoordinatorSettings settings, RedisAccess& redis, Registry& registry,
              std::vector<EpochLink*> links, Clock& clock, std::function<void()> wake_shard0);
  ~Coordinator();

  void start();
  void stop();
  void wake();

  [[nodiscard]] CoordinatorStatus status() const;

  // Operators' changes (see SharedSupply in operators.h); answers come in any order.
  void add(std::string item, std::string product, Units stock, uint32_t ticket);
  void restock(std::string item, std::string op_id, int64_t delta, uint32_t ticket);
  [[nodiscard]] std::vector<ledger::StockChange> take_changes();
  void note_recorded(std::string item, Units supplied);
  void offer_terms(std::vector<TermsOffer> offers);

  // One step. Returns how long to wait before the next, unless woken. The thread calls it in a loop. An owner that has not
  // started the thread calls it too, and asks take_wake().
  std::chrono::milliseconds step();
  // Whether it was woken since the last call: the next step is due now.
  [[nodiscard]] bool take_wake();

 private:
  struct Group {
    EpochCheck check;            // of the last look
    uint64_t joined = 0;         // the epoch that this process has joined
    uint64_t open = 0;           // the epoch in which the shards may exchange
    uint64_t purged = 0;         // epochs before this one have no keys any more
    bool needs_rejoin = false;   // a shard had trouble
    bool needs_supplies = true;  // Redis may lack an item or new units
    std::vector<Supply> sent;    // what this node has sent last, by code
    bool is_void = false;        // at the last look: it needs another epoch
    int64_t void_until_ns = 0;   // until then no other is begun for it
    int64_t patience_ns = 0;     // how long that is
    // While shards ask for items that the Redis does not know: since when, and until when.
    int64_t unknown_since_ns = INT64_MIN / 2, unknown_last_ns = INT64_MIN / 2;
    std::vector<uint64_t> last_numbers;  // by shard
  };
  // nullopt: no caller waits for it.
  using Job = std::function<std::optional<ledger::StockChange>()>;
  // The promise that the shards were asked for.
  struct Promising {
    uint64_t epoch = 0;
    int64_t deadline_ns = 0;
  };
  // The state, from step to step, of a node that needs an epoch and must begin it itself.
  struct Beginning {
    enum class Stage : uint8_t { pausing, promising, rejoining };
    Stage stage = Stage::pausing;
    uint64_t above = 0;   // the new epoch's number
    uint64_t newest = 0;  // the epoch that was seen
    int64_t pause_until_ns = 0;
    EpochPlan plan;  // from promising on
  };
  enum class Progress : uint8_t { done, failed, not_yet };

  // ---- the thread
  void run();
  std::chrono::milliseconds advance();
  std::chrono::milliseconds look_again();
  std::chrono::milliseconds soon() const;
  std::chrono::milliseconds take_part(uint64_t epoch);
  std::chrono::milliseconds wait_for_others(uint64_t epoch);
  Result<std::set<uint32_t>> find_missing(uint64_t epoch);
  void report_missing(uint64_t epoch, const std::vector<uint32_t>& nodes);
  void open_groups(uint64_t epoch, bool has_joined);
  void assign();
  void publish(const std::string& problem);
  bool fail(const std::string& problem);  // publishes it; false
  std::string servers_in_use() const;
  bool is_stopping() const { return is_stopping_.load(std::memory_order_relaxed); }
  Result<RedisValue> call(const Group& group, Script script, const Words& words);
  std::string layout() const;
  std::string stream_of(size_t shard) const;

  // ---- looking
  bool connect();
  bool enroll();
  void end_if_retired();
  bool look();
  bool look_at(uint32_t number, bool is_beat);
  std::string misfit_of(const EpochCheck& check) const;
  void refuse_lost_log() const;
  uint64_t newest_epoch() const;
  int64_t stalled_ns(uint64_t epoch);
  bool must_begin(uint64_t newest);
  bool needs_new_epoch(const EpochCheck& check, bool has_stalled) const;
  bool is_member(const std::string& members) const;
  void note_unknown_items(uint32_t groups);
  bool misses_items() const;

  // ---- a new epoch
  std::chrono::milliseconds begin_epoch(uint64_t above, uint64_t newest);
  std::chrono::milliseconds go_on_beginning();
  Progress make_plan(Beginning& beginning);
  Progress carry_out(const EpochPlan& plan);
  bool is_overtaken(uint64_t above) const;
  bool bump(const EpochPlan& plan);
  void fill(const EpochPlan& plan);
  void be_patient();

  // ---- promise and JOIN
  bool promise(uint64_t epoch);
  bool has_promised();
  bool enter(uint64_t epoch);
  bool must_join(const Group& group, uint64_t epoch) const;
  bool join(uint64_t epoch);
  Progress rejoin_open_groups(uint64_t epoch);
  std::vector<JoinLines> lines_of_streams(uint64_t epoch) const;
  bool join_group(Group& group, uint64_t epoch, const JoinLines& lines);
  std::optional<RedisValue> send_join(const Group& group, Words words, const JoinLines& lines,
                                      const char* what);
  void note_numbers(Group& group, const RedisValue& joined, uint64_t epoch);
  bool is_refused(const Group& group, const RedisValue& answer, const char* what);

  // ---- supply, operators' changes
  void add_job(Job job);
  void do_jobs();
  ledger::StockChange add_item(const std::string& item, const std::string& product, Units stock);
  ledger::StockChange restock_item(const std::string& item, const std::string& op_id,
                                   int64_t delta);
  std::optional<ledger::StockChange> withdraw(const Group& group, const std::string& item,
                                              const std::string& op_id, Units units);
  void raise_supply(Group& group, const Supply& supply);
  void send_supplies();
  bool may_supply();
  void purge(Group& group);
  Group& group_with(const std::string& item) {
    return groups_[group_of(item, client_->group_count())];
  }

  // An epoch that no member fills or joins for so long is begun again.
  static constexpr int64_t kStallNs = 3 * kSecond;

  CoordinatorSettings settings_;
  Registry& registry_;
  std::vector<EpochLink*> links_;
  Clock& clock_;
  std::function<void()> wake_shard0_;
  std::unique_ptr<ScriptCaller> client_;
  std::mt19937 random_;

  bool is_enrolled_ = false;
  std::vector<Group> groups_;
  std::vector<RedisServer> assigned_servers_;
  std::string unreached_;       // why a master was not reached at the last look; empty: all were
  uint64_t highest_promise_;    // that any log of this node has ever made
  uint64_t asked_promise_ = 0;  // that the shards of this process are to make
  uint64_t promised_ = 0;       // that all of them have made, durably
  std::optional<Promising> promising_;
  std::optional<Beginning> beginning_;
  uint64_t entered_ = 0, joined_ = 0;
  std::string reported_server_;
  uint32_t stream_count_;  // of all nodes
  uint64_t refused_ =
      0;  // an epoch that this node cannot join: the registry refuses it, or Redis has lost a part of it
  uint64_t disputed_ = 0;                  // an epoch in which an answer of Redis cannot be true
  std::optional<uint64_t> stalled_epoch_;  // 0: Redis has none, and none can be begun there
  int64_t last_beat_ns_ = 0;
  int64_t stalled_since_ns_ = 0, asked_members_ns_ = 0, asked_masters_ns_ = 0;
  int64_t compare_supplies_ns_ = 0;  // the next time
  OpenOffers open_offers_;

  mutable std::mutex mutex_;  // guards the next five
  std::condition_variable wake_;
  bool is_woken_ = false;
  CoordinatorStatus status_;
  std::vector<Job> jobs_;
  std::vector<ledger::StockChange> changes_;

  std::atomic<bool> is_stopping_{false};
  std::thread thread_;
};

}  // namespace stampede::cluster
