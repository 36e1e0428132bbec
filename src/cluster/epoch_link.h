// Between the coordinator's thread and one shard: the coordinator assigns the epoch to the shard's stream, to promise it or to
// exchange in it; the shard reports its promise. State, not messages: only the newest assignment counts, so a shard that was slow
// misses nothing.
//
//   coordinator ── assign ──▶ promise epoch 7 ──▶ shard logs it, drops answers that still arrive of epoch 6
//               ◀── report ── promised 7, durable; counters as of then
//               ── assign ──▶ 7 is open ────────▶ shard exchanges with Redis
//               ◀── trouble ─ the connection broke; Redis answers that it is not the one that opened 7
//
// A mutex guards both; the shard takes it only when the number has changed, which is when an epoch changes.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "base/check.h"
#include "cluster/redis_url.h"
#include "order.h"

namespace stampede::cluster {

// The Redis that counts now, with a resolved address: the shard's thread must not wait for a name server.
struct RedisServer {
  HostPort address;  // host: a numeric address; port 0: none is known
  std::string user, password;
  uint32_t database = 0;
  bool is_asking = false;  // a cluster is moving the slot there: it answers only after ASKING
  friend bool operator==(const RedisServer&, const RedisServer&) = default;
};

struct GroupAssignment {
  RedisServer server;
  uint64_t open = 0;         // the epoch in which exchanges may be made: the promised one or 0
  uint64_t last_number = 0;  // of the stream's exchanges in that epoch
};
struct Assignment {
  uint64_t promise = 0;  // the epoch to be promised in the log
  std::vector<GroupAssignment> groups;
  uint32_t stream_count = 1;  // of all nodes: they share the units that can be leased ahead
};

// A stream's counters of an item as it joins an epoch; all of it is durable.
struct StreamLine {
  std::string item;
  Units accepted = 0, returned = 0, pool = 0;
};

struct Promise {
  uint64_t epoch = 0;
  Lsn lsn = 0;  // of the record
  std::vector<StreamLine> lines;
};

class EpochLink {
 public:
  // `wake_shard` and `wake_coordinator` are called by the other side's thread.
  EpochLink(std::function<void()> wake_shard, std::function<void()> wake_coordinator)
      : wake_shard_(std::move(wake_shard)), wake_coordinator_(std::move(wake_coordinator)) {}

  // ---- the coordinator's ----
  void assign(const Assignment& assignment) {
    {
      const std::lock_guard lock(mutex_);
      assignment_ = assignment;
    }
    number_.fetch_add(1, std::memory_order_release);
    wake_shard_();
  }
  [[nodiscard]] Promise promise() const {
    const std::lock_guard lock(mutex_);
    return promise_;
  }
  [[nodiscard]] uint64_t promised() const { return promised_.load(std::memory_order_acquire); }
  // Of the groups, a bit each, since the last call: those that the shard has had trouble with, those that only a new epoch can
  // help, and those whose Redis does not know an item that buyers ask for.
  struct Trouble {
    uint32_t groups = 0, needs_new_epoch = 0, unknown_items = 0;
  };
  [[nodiscard]] Trouble take_trouble() {
    const std::lock_guard lock(mutex_);
    return std::exchange(trouble_, {});
  }

  // ---- the shard's ----
  [[nodiscard]] uint64_t number() const { return number_.load(std::memory_order_acquire); }
  [[nodiscard]] Assignment assignment() const {
    const std::lock_guard lock(mutex_);
    return assignment_;
  }
  void report(Promise promise) {
    const uint64_t epoch = promise.epoch;
    CHECK(epoch > promised());
    {
      const std::lock_guard lock(mutex_);
      promise_ = std::move(promise);
    }
    promised_.store(epoch, std::memory_order_release);
    wake_coordinator_();
  }
  void complain(uint32_t group, bool needs_new_epoch) {
    {
      const std::lock_guard lock(mutex_);
      trouble_.groups |= uint32_t{1} << group;
      trouble_.needs_new_epoch |= uint32_t{needs_new_epoch} << group;
    }
    wake_coordinator_();
  }
  // Does not wake the coordinator: its next look is soon enough.
  void report_unknown_item(uint32_t group) {
    const std::lock_guard lock(mutex_);
    trouble_.unknown_items |= uint32_t{1} << group;
  }

 private:
  std::function<void()> wake_shard_, wake_coordinator_;
  mutable std::mutex mutex_;
  Assignment assignment_;
  Promise promise_;
  Trouble trouble_;
  std::atomic<uint64_t> number_{0};    // release; pairs with number()
  std::atomic<uint64_t> promised_{0};  // release; pairs with promised()
};

}  // namespace stampede::cluster
