// One thread of the load: sends the orders of its users on schedule, sends again those that were lost or
// refused for now, and keeps the book. It must never be the bottleneck that is measured, so per order it costs one
// read, one write and well under a microsecond of its own.
#pragma once

#include <array>
#include <atomic>

#include "load/backlog.h"
#include "load/connections.h"
#include "load/looks.h"
#include "load/plan.h"
#include "load/request_writer.h"
#include "load/schedule.h"
#include "load/tally.h"
#include "load/user_book.h"

namespace stampede::load {

// The state that the generators of one run share.
struct Start {
  std::atomic<uint32_t> connections_open{
      0};  // of all threads, and to stay so; until the first moment
  std::atomic<uint32_t> threads_ready{0};
  std::atomic<int64_t> at_ns{0};  // set by the last thread that is ready; 0: not yet
  std::atomic<bool> is_stopping{
      false};  // set from outside, or by a thread that failed: finish early
};

class Generator final : private AnswerHandler {
 public:
  Generator(const Plan& plan, uint32_t thread, Clock& clock, Start& start);

  // Blocks until every order of this thread has its end. An error when the server cannot be
  // reached.
  Status run();

  // Any thread may read some parts of the tally at any time (tally.h); all of it, and the rest, after run().
  const Tally& tally() const { return tally_; }
  const UserBook& book() const { return book_; }
  uint64_t unsent() const { return unsent_; }  // due before the end of the duration, but never sent

 private:
  // What requests come from; in the order in which they go when they were due at once.
  enum class Source : uint8_t { backlog, orders, pages, stocks };

  void on_answer(const Attempt& attempt, const Reply& reply, int64_t now_ns) override;
  void on_lost(const Attempt& attempt, int64_t now_ns) override;
  void on_failure(Failure failure) override;

  Status wait_for_start();
  Status check_opening(uint32_t& most, int64_t& grown_at_ns, int64_t now_ns);
  int64_t begin_ns() const;
  Status turn();
  Status check_reachable(int64_t now_ns) const;
  std::string cause_text() const;  // of the last connection that could not be opened
  void send_due(int64_t now_ns);
  void note_lateness();
  void begin_work(int64_t now_ns);
  void note_work();
  bool send_first_due(int64_t now_ns);
  int64_t turn_ns(Source source, int64_t now_ns) const;
  bool send_from(Source source, int64_t now_ns);
  bool send_again(int64_t now_ns);
  bool send_next(int64_t now_ns);
  bool send_look(Looks& looks, int64_t now_ns);
  bool is_wanted(const Looks& looks) const;
  bool are_orders_sent() const;
  bool send(const Attempt& attempt, int64_t now_ns);
  int64_t next_due_ns(int64_t now_ns) const;
  void on_order_answer(const Attempt& attempt, const Reply& reply, int64_t now_ns);
  void on_step_answer(const Attempt& attempt, const Reply& reply);
  void follow_up(const Attempt& order, const Reply& reply, int64_t now_ns);
  void give_up(const Attempt& attempt);
  void repeat(Attempt attempt, uint32_t retry_after_ms, int64_t now_ns);
  void append_request(const Attempt& attempt, std::string& out) const;
  void begin_to_end(int64_t now_ns);
  bool is_finished(int64_t now_ns) const;
  int64_t wait_ns(int64_t now_ns) const;
  void close_book();

  const Plan& plan_;
  Clock& clock_;
  Start& start_;
  Schedule schedule_;
  RequestWriter writer_;
  Connections connections_;
  Backlog backlog_;
  Tally tally_;
  UserBook book_;
  Wishes wishes_;
  std::vector<Price> prices_;  // of an order, by wish, from the answers
  uint64_t next_request_ = 0;
  std::array<Looks, 2> looks_;  // pages, stocks
  bool has_looked_ = false;     // the last request that was sent
  bool is_blocked_ = false;  // an order is due and no connection may take it: only an answer helps
  int64_t was_blocked_at_ns_ = 0;   // orders that were due by then have waited for a connection
  std::vector<int64_t> sent_dues_;  // of this turn's orders that have not
  uint64_t unsent_ = 0;
  int64_t start_ns_ = 0;
  int64_t work_begin_ns_ = 0, cpu_before_ns_ = 0;  // behind the warmup
  int64_t end_by_ns_ =
      INT64_MAX;  // set when the end has begun: nothing new is sent, unknown outcomes are cleared up
};

}  // namespace stampede::load
