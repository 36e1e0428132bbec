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
// Blocking calls with deadlines throughout; only this thread waits. A loop over what is there, not a sequence that must be
// finished: each step looks again, so a crash, a timeout or another node's epoch at any point is just another state to find.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "ledger/epoch_link.h"
#include "ledger/ledger.h"
#include "ledger/redis_client.h"
#include "ledger/registry.h"
#include "ledger/terms.h"

namespace stampede::ledger {

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
  std::string server;             // address of the Redis in use; empty: none
  std::string problem;            // why nothing is granted; empty: nothing is wrong
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
  [[nodiscard]] std::vector<StockChange> take_changes();
  void offer_terms(std::vector<TermsOffer> offers);

  // One look and what follows from it; the thread's loop, and tests' hand on it. How long to wait for the next, unless woken.
  std::chrono::milliseconds step();

 private:
  struct View {  // what lua/check.lua said
    std::string status, state, members, place, boot;
    uint64_t epoch = 0;
    bool is_filled = false;
  };

  Result<View> look();
  bool connect();
  bool begin_epoch(uint64_t above);
  bool fill(const EpochPlan& plan);
  bool promise(uint64_t epoch);
  bool join(uint64_t epoch);
  void open(uint64_t epoch, const std::string& members);
  std::chrono::milliseconds advance();
  bool enroll();
  bool enter(uint64_t epoch);
  std::chrono::milliseconds on_recovering(const View& view);
  std::chrono::milliseconds on_open(const View& view);
  void send_supplies(uint64_t epoch);
  void purge(uint64_t epoch);
  void note_numbers(const RedisValue& joined, const std::vector<Promise>& promises);
  bool is_member(const std::string& members) const;
  bool is_refused(const RedisValue& answer, const char* what);
  std::vector<uint32_t> not_joined(const std::vector<uint32_t>& members);
  void end_if_retired();
  void do_jobs(uint64_t epoch);
  StockChange do_restock(uint64_t epoch, const std::string& item, const std::string& op_id,
                         int64_t delta);
  void assign();
  bool fail(const std::string& problem);
  void settle(const std::string& problem);
  bool is_stopping() const { return is_stopping_.load(std::memory_order_relaxed); }
  bool wait_for_promises(uint64_t epoch);
  void run();
  std::string place() const;

  CoordinatorSettings settings_;
  Registry& registry_;
  std::vector<EpochLink*> links_;
  Clock& clock_;
  std::function<void()> wake_shard0_;
  RedisClient client_;
  std::mt19937 random_;

  bool is_enrolled_ = false;
  uint64_t highest_promise_;            // of this node, in any of its logs, ever
  Assignment assignment_;               // of all shards but for last_number
  std::vector<uint64_t> last_numbers_;  // by shard
  uint64_t promised_ = 0;               // by every stream of this process, durably
  uint64_t entered_ = 0, joined_ = 0;
  uint64_t refused_ = 0;        // an epoch that the registry does not let this node enter
  uint64_t disputed_ = 0;       // an epoch in which Redis said what cannot be
  bool needs_rejoin_ = true;    // a shard had trouble, or this process has not spoken yet
  bool needs_supplies_ = true;  // Redis may not know of an item or of new units
  uint64_t stalled_epoch_ = 0;
  int64_t stalled_since_ns_ = 0, asked_sentinels_ns_ = 0;
  uint64_t purged_ = 0;
  OpenOffers open_offers_;

  using Job = std::function<StockChange(uint64_t epoch)>;
  mutable std::mutex mutex_;  // guards the next five
  std::condition_variable wake_;
  bool is_woken_ = false;
  CoordinatorStatus status_;
  std::vector<Job> jobs_;
  std::vector<StockChange> changes_;

  std::atomic<bool> is_stopping_{false};
  std::thread thread_;
};

}  // namespace stampede::ledger
