// The node's part in the shared ledger's epochs: one thread that watches Redis, promises, begins epochs and joins them, so
// that the shards need only exchange.
//
//                     ┌────────────────── what Redis says (lua/check.lua) ──────────────────┐
//      open, joined   │ nothing to do: the shards exchange                                  │
//      recovering     │ promise the epoch in every log, then JOIN; wait for the others      │
//      gone, rolled   │ begin an epoch: number and members from the registry, promise, BUMP,│
//      a stranger     │ FILL what the database knows, JOIN                                  │
//                     └─────────────────────────────────────────────────────────────────────┘
//
// The order within an epoch is the proof: every stream of every member has durably promised E, and so accepts no earlier
// grant ever again, before the counters with which E begins are told; and the scripts check at every call that Redis is
// still the one that opened E. So whatever Redis forgets, no unit can be granted twice.
//
// The groups of a Redis Cluster go through this side by side, each at its own master, with one promise and one number for
// each epoch: what is proved of one group holds for all. A master that cannot be reached stops its own groups alone, and so
// does one that refuses to be written to. When one group needs an epoch it begins at all of them; one that was out of reach then
// lags behind, and brings about the next: at once, and less and less often while that does not open it.
//
// Blocking calls with deadlines throughout; only this thread waits. A loop over what is there, not a sequence that must be
// finished: each step looks again, so a crash, a timeout or another node's epoch at any point is just another state to find.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "cluster/epoch_link.h"
#include "cluster/redis_client.h"
#include "cluster/registry.h"
#include "cluster/terms.h"
#include "ledger/ledger.h"
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
};

// For whoever shows it.
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
  Coordinator(CoordinatorSettings settings, Registry& registry, std::vector<EpochLink*> links,
              Clock& clock, std::function<void()> wake_shard0);
  ~Coordinator();

  void start();
  void stop();
  void wake();

  [[nodiscard]] CoordinatorStatus status() const;

  // Operators' changes (see Operators in ledger.h); answers come in any order.
  void add(std::string item, Units stock, uint32_t ticket);
  void restock(std::string item, std::string op_id, int64_t delta, uint32_t ticket);
  [[nodiscard]] std::vector<ledger::StockChange> take_changes();
  void offer_terms(std::vector<TermsOffer> offers);

  // One look and what follows from it; the thread's loop, and tests' hand on it. How long to wait for the next, unless woken.
  std::chrono::milliseconds step();

 private:
  struct View {          // what lua/check.lua said
    std::string status;  // empty: nothing, the master cannot be reached
    std::string state, members, place, boot;
    uint64_t epoch = 0;
    uint32_t groups = 0;  // that the items are dealt out to in it
    bool is_filled = false;

    bool is_there() const { return !status.empty(); }
    bool is_in(uint64_t other) const { return status == "OK" && epoch == other; }
    bool is_open() const { return status == "OK" && state == "O"; }
  };
  struct Group {
    View view;                   // of the last look
    uint64_t joined = 0;         // by this process
    uint64_t open = 0;           // told to the shards
    uint64_t purged = 0;         // epochs before it have no keys any more
    bool needs_rejoin = false;   // a shard had trouble
    bool needs_supplies = true;  // Redis may not know of an item or of new units
    bool is_void = false;        // at the last look: it needs another epoch
    int64_t void_until_ns = 0,
            patience_ns = 0;  // so long no other is begun for it, and so long the next time
    std::vector<uint64_t> last_numbers;  // by shard
  };
  using Words = std::vector<std::string>;
  using Lines =
      std::vector<Words>;  // of a JOIN, an item each: item supplied count (stream a r pool)…

  // ---- looking
  std::chrono::milliseconds advance();
  bool connect();
  bool enroll();
  bool look();
  View view_of(const RedisValue& answer) const;
  uint64_t newest_epoch() const;
  int64_t stalled_ns(uint64_t epoch);
  bool needs_new_epoch(const View& view, bool has_stalled) const;
  bool must_begin(uint64_t newest);
  bool is_member(const std::string& members) const;
  void refuse_lost_log() const;

  // ---- epochs
  bool begin_epoch(uint64_t above);
  bool is_overtaken(uint64_t above) const;
  bool bump(const EpochPlan& plan);
  void be_patient();
  void fill(const EpochPlan& plan);
  std::chrono::milliseconds take_part(uint64_t epoch);
  bool promise(uint64_t epoch);
  bool wait_for_promises(uint64_t epoch);
  bool enter(uint64_t epoch);
  bool must_join(const Group& group, uint64_t epoch) const;
  bool join(uint64_t epoch);
  void rejoin_open_groups(uint64_t epoch);
  bool join_group(Group& group, uint64_t epoch, const Lines& lines);
  std::vector<Lines> lines_of_streams(uint64_t epoch) const;
  std::optional<RedisValue> send_join(const Group& group, Words words, const Lines& lines,
                                      const char* what);
  void note_numbers(Group& group, const RedisValue& joined, uint64_t epoch);
  void open_groups(uint64_t epoch, bool has_joined);
  std::chrono::milliseconds wait_for_others(uint64_t epoch);
  bool is_refused(const RedisValue& answer, const char* what);
  void end_if_retired();

  // ---- supply, changes
  void send_supplies();
  bool may_supply();
  void purge(Group& group);
  void do_jobs();
  ledger::StockChange do_restock(const std::string& item, const std::string& op_id, int64_t delta);

  Result<RedisValue> call(const Group& group, Script script, const Words& words);
  Group& group_with(const std::string& item) {
    return groups_[group_of(item, client_.group_count())];
  }
  void assign();
  bool fail(const std::string& problem);
  void settle(const std::string& problem);
  std::string servers_in_use() const;
  bool is_stopping() const { return is_stopping_.load(std::memory_order_relaxed); }
  void run();
  std::string place() const;
  std::string stream_of(size_t shard) const;

  CoordinatorSettings settings_;
  Registry& registry_;
  std::vector<EpochLink*> links_;
  Clock& clock_;
  std::function<void()> wake_shard0_;
  RedisClient client_;
  std::mt19937 random_;

  bool is_enrolled_ = false;
  std::vector<Group> groups_;
  std::vector<RedisServer> assigned_servers_;
  std::string unreached_;       // why a master was not reached at the last look; empty: all were
  uint64_t highest_promise_;    // of this node, in any of its logs, ever
  uint64_t asked_promise_ = 0;  // of the shards of this process
  uint64_t promised_ = 0;       // by all of them, durably
  uint64_t entered_ = 0, joined_ = 0;
  uint32_t stream_count_;  // of all nodes
  uint64_t refused_ = 0;   // an epoch that the registry does not let this node enter
  uint64_t disputed_ = 0;  // an epoch in which Redis said what cannot be
  uint64_t stalled_epoch_ = 0;
  int64_t stalled_since_ns_ = 0, asked_who_ns_ = 0, asked_where_ns_ = 0;
  OpenOffers open_offers_;

  using Job = std::function<ledger::StockChange()>;
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
