#include "load/generator.h"

#include <time.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "base/hash.h"
#include "base/words.h"

namespace stampede::load {
namespace {

constexpr int64_t kTurnWaitMax = 10 * kMillisecond;
constexpr int64_t kRepeatWaitDefault =
    50 * kMillisecond;  // for a retryable answer that names no time
constexpr int64_t kRepeatWaitMax = 60 * kSecond;
constexpr int64_t kLostWaitStep =
    20 * kMillisecond;  // per loss: a server that drops every order is not hammered
constexpr int64_t kLostWaitMax = kSecond;
constexpr int64_t kStopGrace = 2 * kSecond;

uint32_t share_of(uint32_t total, uint32_t threads, uint32_t thread) {
  return total / threads + (thread < total % threads);
}

std::string outcome_name(Step step, const Reply& reply) {
  if (reply.status < 300 && only_looks(step)) return step == Step::page ? "page" : "stock";
  if (reply.status < 300 && step != Step::order) return std::string(reply.state);
  if (reply.status == 201) return "created";
  if (reply.status < 300) return reply.is_replayed ? "replayed" : "ok";
  return reply.code.empty() ? "status_" + std::to_string(reply.status) : std::string(reply.code);
}

// A gateway's answer for a node that did not answer it: the order may have been taken all the same. A node itself never
// answers so.
bool is_of_gateway(const Reply& reply) {
  return reply.status == 502 || reply.status == 504;
}

int64_t thread_cpu_ns() {
  timespec used;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return used.tv_sec * kSecond + used.tv_nsec;
}

UserEnd end_of_refusal(std::string_view code) {
  return code == "sold_out" || code == "not_enough" ? UserEnd::sold_out : UserEnd::refused;
}

}  // namespace

Generator::Generator(const Plan& plan, uint32_t thread, Clock& clock, Start& start)
    : plan_(plan),
      clock_(clock),
      start_(start),
      schedule_(plan, thread),
      writer_(plan),
      connections_(plan, share_of(plan.connections, plan.threads, thread), clock, *this),
      book_(schedule_.users()),
      wishes_(plan),
      prices_(plan.wishes.size()),
      looks_{Looks(plan, Step::page, plan.page_views, thread),
             Looks(plan, Step::stock, plan.stock_polls, thread)} {}

Status Generator::run() {
  Status status = wait_for_start();
  while (status && !is_finished(clock_.now().boot_ns)) status = turn();
  if (!status) start_.is_stopping = true;
  note_work();
  close_book();
  return status;
}

// The schedule starts when all threads have all their connections: opening them is no part of the
// sale.
Status Generator::wait_for_start() {
  bool is_ready = false;
  uint32_t wanted = 0, most = 0;
  int64_t grown_at_ns = clock_.now().boot_ns;
  connections_.begin(grown_at_ns);
  while ((start_ns_ = start_.at_ns) == 0 && !start_.is_stopping) {
    int64_t now_ns = clock_.now().boot_ns;
    connections_.tend(now_ns);
    start_.connections_open += connections_.wanted() - std::exchange(wanted, connections_.wanted());
    if (!is_ready && connections_.all_open(now_ns)) {
      is_ready = true;
      if (++start_.threads_ready == plan_.threads) start_.at_ns = begin_ns();
    }
    if (Status status = check_reachable(now_ns); !status) return status;
    if (is_ready) grown_at_ns = now_ns;
    if (Status status = check_opening(most, grown_at_ns, now_ns); !status) return status;
    connections_.poll(is_ready ? kMillisecond : kTurnWaitMax);
  }
  tally_.first_ns = tally_.last_ns = start_ns_ + plan_.warmup_ns;
  return Ok{};
}

// A server at a bound of its own takes some connections and closes the others, for ever.
Status Generator::check_opening(uint32_t& most, int64_t& grown_at_ns, int64_t now_ns) {
  if (connections_.wanted() > most) {
    most = connections_.wanted();
    grown_at_ns = now_ns;
  }
  if (now_ns - grown_at_ns <= std::max(plan_.patience_ns, kSecond)) return Ok{};
  return Error{"only " + grouped(start_.connections_open.load()) + " of " +
               counted(plan_.connections, "connection") + " are open, and " +
               net::text_of(plan_.server) + " takes no more (" + cause_text() +
               "): fewer --connections, or a server with a higher --connections and "
               "--connections-address"};
}

std::string Generator::cause_text() const {
  const int cause = connections_.connect_errno();
  return cause != 0 ? std::strerror(cause) : "no answer";
}

int64_t Generator::begin_ns() const {
  const Moment now = clock_.now();
  return now.boot_ns + std::max<int64_t>(0, plan_.begin_wall_ns - now.wall_ns);
}

Status Generator::turn() {
  int64_t now_ns = clock_.now().boot_ns;
  begin_work(now_ns);
  bool is_over =
      start_.is_stopping || (plan_.duration_ns > 0 && now_ns - start_ns_ >= plan_.duration_ns);
  if (is_over && end_by_ns_ == INT64_MAX) begin_to_end(now_ns);
  // A stop may come behind the end of the duration too.
  if (start_.is_stopping) end_by_ns_ = std::min(end_by_ns_, now_ns + kStopGrace);
  connections_.tend(now_ns);
  send_due(now_ns);
  connections_.flush();
  note_lateness();
  connections_.poll(wait_ns(now_ns));
  return check_reachable(now_ns);
}

Status Generator::check_reachable(int64_t now_ns) const {
  int64_t patience_ns = plan_.patience_ns;
  // At the start there is no reason for patience: a server that refuses is not there. One that does
  // not answer may be slow.
  if (start_ns_ == 0) {
    if (start_.connections_open > 0) return Ok{};  // another thread has reached it
    patience_ns = connections_.connect_errno() == 0 ? plan_.answer_timeout_ns
                                                    : std::min(patience_ns, kSecond);
  }
  if (connections_.none_open_since_ns() > now_ns - patience_ns) return Ok{};
  return Error{"cannot connect to " + net::text_of(plan_.server) + ": " + cause_text() +
               "; is the server running? (`stampede serve --demo` starts one)"};
}

void Generator::send_due(int64_t now_ns) {
  if (is_blocked_) was_blocked_at_ns_ = now_ns;
  is_blocked_ = false;
  while (send_first_due(now_ns)) continue;
  tally_.live.waiting.store(backlog_.size(), std::memory_order_relaxed);
}

// What was due first goes first, whatever it is: behind a kind of which more is due than the connections carry, the
// others would wait for ever. False when nothing is due, or may go.
bool Generator::send_first_due(int64_t now_ns) {
  std::array<std::pair<int64_t, Source>, 4> turns;
  for (Source source : {Source::backlog, Source::orders, Source::pages, Source::stocks})
    turns[static_cast<size_t>(source)] = {turn_ns(source, now_ns), source};
  std::sort(turns.begin(), turns.end());
  for (const auto& [turn_ns, source] : turns) {
    if (turn_ns > now_ns) return false;
    if (send_from(source, now_ns)) return true;
  }
  return false;
}

// When the first request of a source has its turn. Without a rate an order is always due: it goes behind every look.
int64_t Generator::turn_ns(Source source, int64_t now_ns) const {
  if (source == Source::backlog) return backlog_.earliest_ns();
  if (source == Source::orders) {
    if (are_orders_sent()) return INT64_MAX;
    return plan_.rate <= 0 && has_looked_ ? start_ns_ : next_due_ns(now_ns);
  }
  const Looks& looks = looks_[source == Source::stocks];
  return is_wanted(looks) ? start_ns_ + looks.due_ns() : INT64_MAX;
}

bool Generator::send_from(Source source, int64_t now_ns) {
  if (source == Source::backlog) return send_again(now_ns);
  if (source == Source::orders) return send_next(now_ns);
  return send_look(looks_[source == Source::stocks], now_ns);
}

bool Generator::send_again(int64_t now_ns) {
  int64_t not_before_ns = backlog_.earliest_ns();
  Attempt attempt = backlog_.take();
  if (end_by_ns_ != INT64_MAX && !attempt.is_unknown) {
    give_up(attempt);
    return true;
  }
  if (send(attempt, now_ns)) return true;
  backlog_.add(not_before_ns, attempt);
  return false;
}

bool Generator::send_next(int64_t now_ns) {
  int64_t due_ns = next_due_ns(now_ns);
  Attempt attempt{.user = schedule_.user_of(next_request_),
                  .due_ns = due_ns,
                  .is_measured = due_ns - start_ns_ >= plan_.warmup_ns};
  if (!send(attempt, now_ns)) return false;
  ++next_request_;
  if (plan_.rate <= 0 || !attempt.is_measured) return true;
  if (due_ns <= was_blocked_at_ns_)
    ++tally_.own.queued;
  else
    sent_dues_.push_back(due_ns);
  return true;
}

int64_t Generator::next_due_ns(int64_t now_ns) const {
  if (plan_.rate > 0) return start_ns_ + schedule_.due_ns(next_request_);
  return std::max(now_ns, start_ns_);
}

// Behind the writes, for the turn's own work makes its orders late too.
void Generator::note_lateness() {
  if (sent_dues_.empty()) return;
  const int64_t now_ns = clock_.now().boot_ns;
  for (int64_t due_ns : sent_dues_)
    tally_.own.late_ns.record(static_cast<uint64_t>(std::max<int64_t>(0, now_ns - due_ns)));
  sent_dues_.clear();
}

// From the end of the warmup on.
void Generator::begin_work(int64_t now_ns) {
  if (work_begin_ns_ != 0 || now_ns < start_ns_ + plan_.warmup_ns) return;
  work_begin_ns_ = now_ns;
  cpu_before_ns_ = thread_cpu_ns();
}

void Generator::note_work() {
  if (work_begin_ns_ == 0) return;  // it ended before
  const int64_t elapsed_ns = std::max<int64_t>(1, clock_.now().boot_ns - work_begin_ns_);
  tally_.own.cpu_ns = thread_cpu_ns() - cpu_before_ns_;
  tally_.own.busiest = static_cast<double>(tally_.own.cpu_ns) / static_cast<double>(elapsed_ns);
}

bool Generator::are_orders_sent() const {
  return end_by_ns_ != INT64_MAX || !schedule_.has_request(next_request_);
}

// As long as orders are due; without a rate the last one is not known before it was sent.
bool Generator::is_wanted(const Looks& looks) const {
  if (looks.due_ns() == INT64_MAX || end_by_ns_ != INT64_MAX) return false;
  const bool has_last = plan_.rate > 0 && plan_.duration_ns == 0;
  return has_last ? looks.due_ns() <= schedule_.last_due_ns() : !are_orders_sent();
}

bool Generator::send_look(Looks& looks, int64_t now_ns) {
  const int64_t due_ns = looks.due_ns();
  const Attempt attempt{.user = looks.number(),
                        .due_ns = start_ns_ + due_ns,
                        .step = looks.step(),
                        .is_measured = due_ns >= plan_.warmup_ns};
  if (!send(attempt, now_ns)) return false;
  looks.advance();
  return true;
}

bool Generator::send(const Attempt& attempt, int64_t now_ns) {
  Connection* connection = connections_.next_with_room(attempt);
  is_blocked_ = connection == nullptr;
  if (is_blocked_) return false;
  append_request(attempt, connection->output);
  connections_.add_sent(*connection, attempt, now_ns);
  has_looked_ = only_looks(attempt.step);
  bump(tally_.live.sent);
  return true;
}

void Generator::append_request(const Attempt& attempt, std::string& out) const {
  uint64_t number = schedule_.number_of(attempt.user);
  switch (attempt.step) {
    case Step::order:
      return writer_.append_order(number, out);
    case Step::pay:
      return writer_.append_payment(number, book_.order_of(attempt.user),
                                    prices_[wishes_.index_of(number)],
                                    clock_.now().wall_ns / kSecond, out);
    case Step::cancel:
      return writer_.append_cancel(number, book_.order_of(attempt.user), out);
    case Step::page:
      return writer_.append_look(attempt.user, "", out);
    case Step::stock:
      return writer_.append_look(attempt.user, "/stock", out);
  }
  CHECK(false);
}

void Generator::on_answer(const Attempt& attempt, const Reply& reply, int64_t now_ns) {
  bump(tally_.live.answered);
  if (attempt.is_measured) {
    const auto latency_ns = static_cast<uint64_t>(std::max<int64_t>(0, now_ns - attempt.due_ns));
    tally_.answers.add(outcome_name(attempt.step, reply)).record(latency_ns);
    if (attempt.step == Step::order) {
      tally_.latency_ns.record(latency_ns);
      tally_.last_ns = now_ns;
    }
  }
  if (only_looks(attempt.step)) return;
  if (is_of_gateway(reply)) return on_lost(attempt, now_ns);
  if (reply.is_retryable) return repeat(attempt, reply.retry_after_ms, now_ns);
  attempt.step == Step::order ? on_order_answer(attempt, reply, now_ns)
                              : on_step_answer(attempt, reply);
}

void Generator::on_order_answer(const Attempt& attempt, const Reply& reply, int64_t now_ns) {
  bump(tally_.live.ended);
  if (reply.status >= 300) {
    book_.note(attempt.user, end_of_refusal(reply.code));
    return bump(tally_.live.refused);
  }
  if (reply.order_id == 0) {  // a yes without an order
    on_failure(Failure::malformed_answer);
    return book_.note(attempt.user, UserEnd::unknown);
  }
  if (!book_.note_sold(attempt.user, {reply.order_id})) return;
  bump(tally_.live.sold);
  follow_up(attempt, reply, now_ns);
}

// The buyer pays for the order, cancels it or leaves it, which depends on nothing but the buyer's number.
void Generator::follow_up(const Attempt& order, const Reply& reply, int64_t now_ns) {
  double chance = static_cast<double>(
                      mix(plan_.first_user + schedule_.number_of(order.user) + plan_.seed) >> 11) *
                  0x1p-53;
  if (chance >= plan_.pay + plan_.cancel) return;
  Price& price = prices_[wishes_.index_of(schedule_.number_of(order.user))];
  price.amount = reply.amount;
  std::copy_n(reply.currency.begin(), std::min(reply.currency.size(), price.currency.size()),
              price.currency.begin());
  backlog_.add(now_ns, {.user = order.user,
                        .due_ns = now_ns,
                        .step = chance < plan_.pay ? Step::pay : Step::cancel,
                        .is_measured = order.is_measured});
}

void Generator::on_step_answer(const Attempt& attempt, const Reply& reply) {
  if (reply.state == "paid") book_.note_order_end(attempt.user, OrderEnd::paid);
  if (reply.state == "cancelled") book_.note_order_end(attempt.user, OrderEnd::cancelled);
}

void Generator::repeat(Attempt attempt, uint32_t retry_after_ms, int64_t now_ns) {
  bool is_ending = end_by_ns_ != INT64_MAX;
  if (attempt.repeats >= plan_.retries_max || (is_ending && !attempt.is_unknown))
    return give_up(attempt);
  int64_t wait_ns = retry_after_ms > 0 ? retry_after_ms * kMillisecond : kRepeatWaitDefault;
  wait_ns = std::min(wait_ns, kRepeatWaitMax);
  // Up to a quarter more, so that users that were turned away together do not come back together.
  uint64_t dice = mix(attempt.user * 1'000'003 + ++attempt.repeats);
  wait_ns += static_cast<int64_t>(dice % static_cast<uint64_t>(wait_ns / 4));
  attempt.due_ns = now_ns + wait_ns;
  backlog_.add(attempt.due_ns, attempt);
  ++tally_.repeated;
}

// No answer came: the user still waits, so the latency still counts from when the lost request was
// due.
void Generator::on_lost(const Attempt& lost, int64_t now_ns) {
  if (only_looks(lost.step)) return;
  Attempt attempt = lost;
  attempt.is_unknown = true;
  if (attempt.repeats >= plan_.retries_max) return give_up(attempt);
  int64_t wait_ns = std::min(attempt.repeats++ * kLostWaitStep, kLostWaitMax);
  backlog_.add(now_ns + wait_ns, attempt);
  ++tally_.resent;
}

// No more of this request. A payment or cancel that comes to nothing leaves the order as it is.
void Generator::give_up(const Attempt& attempt) {
  if (attempt.step != Step::order) return;
  bump(tally_.live.ended);
  book_.note(attempt.user, attempt.is_unknown ? UserEnd::unknown : UserEnd::gave_up);
}

void Generator::on_failure(Failure failure) {
  ++tally_.failures[static_cast<size_t>(failure)];
  bump(tally_.live.failures);
}

// Orders that fell due since the last turn are still sent; only what finds no connection stays unsent.
void Generator::begin_to_end(int64_t now_ns) {
  int64_t over_ns = now_ns - start_ns_ + 1;
  if (plan_.duration_ns > 0) over_ns = std::min(over_ns, plan_.duration_ns);
  if (plan_.rate > 0) {
    send_due(start_ns_ + over_ns - 1);
    unsent_ = std::max(schedule_.requests_before(over_ns), next_request_) - next_request_;
  }
  end_by_ns_ = now_ns + (start_.is_stopping ? kStopGrace : plan_.answer_timeout_ns);
}

bool Generator::is_finished(int64_t now_ns) const {
  if (now_ns >= end_by_ns_) return true;
  for (const Looks& looks : looks_)
    if (is_wanted(looks)) return false;
  return are_orders_sent() && connections_.in_flight() == 0 && backlog_.empty();
}

int64_t Generator::wait_ns(int64_t now_ns) const {
  if (is_blocked_) return kTurnWaitMax;
  int64_t next_ns = backlog_.earliest_ns();
  if (!are_orders_sent()) next_ns = std::min(next_ns, next_due_ns(now_ns));
  for (const Looks& looks : looks_)
    if (is_wanted(looks)) next_ns = std::min(next_ns, start_ns_ + looks.due_ns());
  return std::clamp<int64_t>(next_ns - now_ns, 0, kTurnWaitMax);
}

void Generator::close_book() {
  connections_.each_in_flight([&](Attempt attempt) {
    attempt.is_unknown = true;
    give_up(attempt);
  });
  while (!backlog_.empty()) give_up(backlog_.take());
}

}  // namespace stampede::load
