// Requests and answers between shards: for every ordered pair of shards three lanes, each with one producer and one
// consumer.
//
//   shard i ── urgent  (read, list, cancel, pay) ──▶ shard j     taken first, so that a rush of new orders
//           ── creates (new orders, links) ────────▶             does not hold up a payment
//           ◀───────────────────── answers ────────
//
// A request takes a credit that stands for the place of its answer; no credit means "overloaded", said before any unit is
// taken. So an answer always finds room and nobody ever waits for a lane. Notices of long polls were not asked for with a
// credit: they use only the room beyond the credits, and wait at the sender while there is none.
//
// A new order that the door objects to is asked about only because its user may hold one already. It takes no credit of the
// last half, so that a flood of them leaves room for orders that may succeed.
#pragma once

#include <array>
#include <memory>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/lane.h"
#include "base/ring.h"
#include "base/thread_owner.h"
#include "order.h"

namespace stampede::shard {

// All lanes of the process, made before the threads start.
class OrderLanes {
 public:
  explicit OrderLanes(uint32_t shard_count);

  struct Pair {  // from one shard to another
    // One cell more than credits: the answer to the request that is being visited gives its credit back.
    Lane<OrderRequest> urgent{bounds::order_credits + 1};
    Lane<OrderRequest> creates{bounds::order_credits + 1};
    Lane<OrderAnswer> answers{bounds::answer_slots};
  };
  Pair& pair(uint32_t from, uint32_t to) const { return *pairs_[from * shard_count_ + to]; }
  uint32_t shard_count() const { return shard_count_; }

 private:
  uint32_t shard_count_;
  std::vector<std::unique_ptr<Pair>> pairs_;
};

// One shard's end of all its lanes. Owned by the shard's thread.
class Mailbox {
 public:
  Mailbox(uint32_t shard, OrderLanes& lanes);
  // From here on only the calling thread may use it.
  void bind() { owner_.bind(); }

  // False: no credit; the answer is `overloaded`.
  [[nodiscard]] bool send(uint32_t to, const OrderRequest& request);
  void answer(const OrderAnswer& answer);
  void send_waiting_notices();

  // Hands over what has arrived; a bounded number from each lane, so that no neighbour starves the others.
  template <typename Visit>
  void take_answers(Visit visit) {
    CHECK(owner_.is_mine());
    for (uint32_t from = 0; from < lanes_.shard_count(); ++from)
      lanes_.pair(from, shard_).answers.take(bounds::answer_slots, [&](const OrderAnswer& answer) {
        take_back_credit(from, answer);
        visit(answer);
      });
  }
  template <typename Visit>
  void take_requests(Visit visit) {
    uint32_t from = 0;
    const auto take = [&](const OrderRequest& request) {
      CHECK(request.reply_to.shard == from);
      visit(request);
    };
    for (from = 0; from < lanes_.shard_count(); ++from)
      lanes_.pair(from, shard_).urgent.take(bounds::batch_orders_max, take);
    for (from = 0; from < lanes_.shard_count(); ++from)
      lanes_.pair(from, shard_).creates.take(bounds::batch_orders_max, take);
  }

  bool has_mail() const;
  // Every request that this shard sent has been answered.
  bool has_all_answers() const { return unanswered_ == 0; }
  // Shards that were sent something since the last call, a bit each.
  uint64_t take_touched() { return std::exchange(touched_, 0); }

 private:
  static bool is_urgent(RequestKind kind) {
    return kind != RequestKind::create && kind != RequestKind::link;
  }
  void take_back_credit(uint32_t from, const OrderAnswer& answer);

  ThreadOwner owner_;
  uint32_t shard_;
  OrderLanes& lanes_;
  std::vector<std::array<uint32_t, 2>> credits_;  // per shard: creates, urgent
  Ring<OrderAnswer> waiting_notices_;
  uint32_t unanswered_ = 0;  // requests sent, to all shards
  uint64_t touched_ = 0;
};

}  // namespace stampede::shard
