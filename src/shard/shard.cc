#include "shard/shard.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "base/diag.h"
#include "base/probe.h"
#include "base/words.h"

namespace stampede::shard {
namespace {

constexpr uint64_t kDoorbellToken = Connections::kForeignToken | 1;
constexpr uint64_t kDiskToken = Connections::kForeignToken | 2;
constexpr int64_t kSleepMaxNs = kSecond;
constexpr int64_t kGatherNs = 200'000;
constexpr int64_t kBlockedSleepNs =
    10 * kMillisecond;  // the log waits for a segment or a lagging drainer
constexpr int64_t kPublishEveryNs = 100 * kMillisecond;
constexpr uint32_t kApproach =
    4;  // decisions in front of a request, which take as long as its memory

stock::NewOrders new_orders_at(door::Degrade level) {
  if (level >= door::Degrade::static_only) return stock::NewOrders::of_nobody;
  return level >= door::Degrade::no_new_users ? stock::NewOrders::of_known_users
                                              : stock::NewOrders::of_all;
}

// What of the door's limits is decided at the home shard.
stock::OrderLimits order_limits_of(const door::Limits& limits) {
  return {.user_requests = limits.user.requests,
          .user_window_ms = limits.user.window_ms,
          .open_per_user = limits.open_per_user,
          .order_rate = limits.order_rate.per_second,
          .is_order_rate_automatic = limits.order_rate.is_automatic,
          .new_orders = new_orders_at(limits.degrade)};
}

}  // namespace

Shard::Shard(const ShardSettings& settings, Process& process, Clock& clock, net::Net& net,
             orderlog::Disk& disk, orderlog::Writer& writer, orderlog::StreamSegments& segments,
             ledger::Ledger& ledger, stock::StreamState& state, stock::Catalog& catalog,
             uint64_t sequence_max)
    : settings_(settings),
      process_(process),
      clock_(clock),
      net_(net),
      disk_(disk),
      writer_(writer),
      segments_(segments),
      ledger_(ledger),
      state_(state),
      catalog_(catalog),
      doorbell_(*process.doorbells[settings.shard]),
      metrics_(*process.metrics[settings.shard]),
      marks_(*process.marks[settings.shard]),
      mailbox_(settings.shard, process.orders),
      now_(clock.now()),
      turn_(clock, *process.turns[settings.shard], process.slow_turn_ns),
      desk_(settings.desk, state, catalog, *this, *this, process.order_rates, sequence_max, now_),
      connections_(settings.connections, net, metrics_, now_),
      api_(settings.api, connections_.answers(), catalog, *this, now_),
      stop_(process.stop_counts, process.shard_count),
      asks_(bounds::lines_per_exchange_max) {
  if (!net_.watch(doorbell_.socket(), kDoorbellToken, net::Interest::read) ||
      !net_.watch(disk_.event_fd(), kDiskToken, net::Interest::read))
    fatal(kExitFailure, "cannot watch the doorbell of shard %u", settings.shard);
  desk_.release(writer_.durable());
  connections_.count_addresses_in(process.addresses);
  api_.count_addresses_in(process.addresses);
  if (process.access_log != nullptr)
    connections_.log_accesses_in(
        std::make_unique<AccessTrace>(process.access_log->lane(settings.shard), metrics_,
                                      process.access_sample, settings.connections.places_max));
}

void Shard::run() {
  owner_.bind();
  writer_.bind();
  mailbox_.bind();
  char name[16];
  std::snprintf(name, sizeof name, "shard-%u", settings_.shard);
  pthread_setname_np(pthread_self(), name);
  if (settings_.cpu >= 0) {
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(settings_.cpu, &cpus);
    pthread_setaffinity_np(pthread_self(), sizeof cpus, &cpus);
  }
  process_.shards_running.fetch_add(1);
  while (tick()) {
  }
}

// One turn. Each phase stands where it stands for a reason.
bool Shard::tick() {
  CHECK(owner_.is_mine());
  // First the only place where the thread may sleep; the clock is read behind it, once, for the whole turn.
  poll_sockets();
  // Answers of other shards before their requests: they give back credits and free places. Requests before expiry: a
  // payment that has arrived beats an expiry that is only due.
  take_inbox();
  pass_time();
  // After the requests, so that one exchange carries the whole turn's demand; before the log, so that grants and the
  // reservations made from them lie in one group commit.
  exchange_with_ledger();
  // After everything that appends. What is appended while the write is in flight is the next commit.
  write_log();
  // Behind the log, so that an operator's change takes effect in the turn in which it became durable.
  serve_operators();
  // Only behind the durable mark does an answer leave.
  release_answers();
  // Last: every answer of this turn goes out with one write per socket, every neighbour is rung at most once.
  send_answers();
  publish();
  if (stop_.has_begun()) go_on_with_stop();
  turn_.end(metrics_.requests.get(), writer_.appended());
  return stop_.phase() != StopPhase::left;
}

void Shard::poll_sockets() {
  int64_t wait_ns = has_work() ? 0 : sleep_ns();
  if (wait_ns != 0) {
    doorbell_.lie_down();
    // Whoever pushed before it could see us asleep did not ring.
    if (has_work() || process_.is_stopping.load(std::memory_order_acquire) != stop_.has_begun())
      wait_ns = 0;
    metrics_.polls_slept.add(wait_ns != 0);
    if (wait_ns != 0 && writer_.is_writing()) wait_ns = gather(wait_ns);
  }
  const std::span<const net::Event> events = net_.poll(wait_ns);
  doorbell_.get_up();
  now_ = clock_.now();
  turn_.enter(TurnPhase::requests, now_.boot_ns);
  pull_levers();
  api_.pass_time(now_);
  connections_.pass_time(now_);
  for (const net::Event& event : events) {
    if (event.token == kDoorbellToken)
      doorbell_.drain();
    else if (event.token == kDiskToken)
      disk_.drain_events();
    else if (ledger_.is_mine(event.token))
      ledger_.on_event(event);
    else
      connections_.on_event(event, now_);
  }
  connections_.read();
}

// While a group commit is on its way to the disk no order can be answered: being woken for each request that arrives
// meanwhile costs more than taking all of them together when it has arrived, or at most 200 µs later.
int64_t Shard::gather(int64_t wait_ns) {
  const net::Socket sockets[] = {disk_.event_fd(), doorbell_.socket()};
  const int64_t gather_ns = std::min(wait_ns, kGatherNs);
  net_.wait_for(sockets, gather_ns);
  return 0;
}

// Something can be done now without another event.
bool Shard::has_work() const {
  return connections_.has_work() || api_.has_work() || !is_inbox_empty() ||
         (stop_.may().asks_ledger &&
          (desk_.leases().asking_groups() & ledger_.ready_groups()) != 0);
}

int64_t Shard::sleep_ns() {
  const int64_t now_ns = clock_.boot_ns();
  int64_t until =
      std::min({connections_.quiet_until_ns(), api_.quiet_until_ns(), ledger_.quiet_until_ns(),
                now_ns + kSleepMaxNs, std::exchange(look_again_ns_, INT64_MAX)});
  if (stop_.may().lets_time_pass) until = std::min(until, desk_.quiet_until_ns());
  if (writer_.is_blocked() || stop_.has_begun()) until = std::min(until, now_ns + kBlockedSleepNs);
  // A timer whose work is refused for lack of room in the log must not spin.
  return std::max<int64_t>(until - now_ns, has_room_for_change() ? 0 : kMillisecond);
}

void Shard::take_inbox() {
  turn_.enter(TurnPhase::inbox);
  mailbox_.take_answers([&](const OrderAnswer& answer) { api_.complete(answer); });
  const auto take_terms = [&](const stock::ItemTerms& terms) {
    catalog_.upsert(terms);
    desk_.on_new_terms(terms.id);
  };
  if (process_.terms[settings_.shard]->take(bounds::control_slots, take_terms) > 0)
    process_.ring(1);  // an operator's answer may wait for it
  mailbox_.take_requests([&](const OrderRequest& request) { arrive(request); });
  turn_.enter(TurnPhase::decide);
  decide_arrived();
  mailbox_.send_waiting_notices();
}

void Shard::pass_time() {
  turn_.enter(TurnPhase::time);
  if (stop_.may().lets_time_pass) desk_.pass_time(now_);
}

void Shard::exchange_with_ledger() {
  turn_.enter(TurnPhase::ledger);
  ledger_.poll(*this, now_);
  desk_.leases().set_available_groups(ledger_.available_groups());
  if (!stop_.may().asks_ledger) return;
  const uint32_t groups = desk_.leases().asking_groups() & ledger_.ready_groups();
  if (groups == 0) return;
  const size_t count = desk_.leases().collect_asks(groups, asks_, now_);
  PROBE(ledger_asked, settings_.shard, groups, count);
  ledger_.exchange(*this, std::span(asks_).first(count), now_);
}

// A grant that comes when nothing is appended any more is in no log, so it is nobody's: the next start does not know it.
void Shard::take_news(const LedgerNews& news) {
  if (!stop_.may().appends) return;
  desk_.take_news(news, now_);
  PROBE(ledger_answered, settings_.shard, news.item, news.accepted, news.free, news.pool_elsewhere);
  api_.on_news(news.item);
}

std::optional<Lsn> Shard::promise(uint64_t epoch) {
  if (!stop_.may().appends) return std::nullopt;
  writer_.set_epoch(epoch);
  const orderlog::Epoch record{.epoch = epoch};
  const Lsn lsn = append(record);
  CHECK(bool(state_.apply(record, lsn, now_)));
  return lsn;
}

void Shard::write_log() {
  turn_.enter(TurnPhase::log);
  if (writer_.is_writing() && writer_.poll(now_)) {
    const Lsn durable = writer_.durable();
    metrics_.log_write_ns.record(now_.boot_ns - write_started_ns_);
    metrics_.batch_records.record(durable + 1 - write_first_lsn_);
    PROBE(log_durable, settings_.shard, write_first_lsn_, durable);
  }
  if (!writer_.start_write(now_)) return;
  write_started_ns_ = now_.boot_ns;
  write_first_lsn_ = writer_.durable() + 1;
  PROBE(log_write, settings_.shard, write_first_lsn_, writer_.bytes_in_flight());
  metrics_.log_writes.add();
  metrics_.log_bytes.add(writer_.bytes_in_flight());
}

void Shard::serve_operators() {
  if (!turn_hook_) return;
  turn_.enter(TurnPhase::operators);
  is_hook_busy_ = turn_hook_(now_);
}

void Shard::release_answers() {
  turn_.enter(TurnPhase::release);
  const Lsn durable = writer_.durable();
  desk_.release(durable);
  marks_.acked.raise(durable);
}

void Shard::send_answers() {
  turn_.enter(TurnPhase::flush);
  connections_.flush();
  process_.ring(mailbox_.take_touched() | ledger_.take_touched());
}

void Shard::deliver(const OrderAnswer& answer) {
  if (answer.verdict == Verdict::created) {
    metrics_.reserved_ns.record(answer.reserved_boot_ns - answer.received_boot_ns);
    metrics_.durable_ns.record(now_.boot_ns - answer.reserved_boot_ns);
  }
  if (answer.reply_to.shard == settings_.shard)
    api_.complete(answer);
  else
    mailbox_.answer(answer);
}

bool Shard::submit(const OrderRequest& request) {
  const uint32_t slot =
      is_by_user(request.kind) ? slot_of(request.user_hash) : request.order.slot();
  const uint32_t home = shard_of_slot(slot, process_.shard_count);
  if (home != settings_.shard) {
    metrics_.requests_forwarded.add();
    return mailbox_.send(home, request);
  }
  arrive(request);
  return true;
}

// An order costs several looks at tables that are larger than the cache, and each would wait for the memory. So requests are
// decided together: while one arrives, what those in front of it need is on its way.
void Shard::arrive(const OrderRequest& request) {
  if (arrived_.is_full()) decide_arrived();
  arrived_.push() = request;
  desk_.expect(request);
}

// In the order in which they have come. A decision may let another request arrive, in the cell that this one leaves.
void Shard::decide_arrived() {
  while (!arrived_.empty()) {
    if (const OrderRequest* const next = arrived_.peek(kApproach)) desk_.approach(*next);
    const OrderRequest request = arrived_.front();
    arrived_.pop();
    desk_.handle(request, now_);
  }
}

Orders::Glance Shard::glance(ItemId item) {
  return desk_.leases().glance(item, now_);
}

// What operators and the rest of the process have set; one look per turn.
void Shard::pull_levers() {
  if (const uint64_t number = process_.keys_number.load(std::memory_order_acquire);
      number != keys_number_) {
    keys_number_ = number;
    api_.set_keys(process_.keys.load());
  }
  if (const uint64_t number = process_.rules_number.load(std::memory_order_acquire);
      number != rules_number_) {
    rules_number_ = number;
    take_rules(process_.rules.load());
    process_.rules_taken[settings_.shard]->store(number, std::memory_order_release);
    process_.ring(1);  // an operator's answer may wait for it
  }
  if (process_.item_survey.answer(settings_.shard, item_survey_,
                                  [&](ItemId item) { return desk_.figures(item); }))
    process_.ring(1);
  desk_.leases().set_lease_max(process_.lease_max.load(std::memory_order_relaxed));
  // Before the requests of this turn are read: they are the first that are refused.
  if (!stop_.has_begun() && process_.is_stopping.load(std::memory_order_acquire)) go_on_with_stop();
  const bool has_database = process_.has_database.load(std::memory_order_relaxed);
  const Lsn drained = has_database ? marks_.drained.get() : writer_.durable();
  desk_.set_drained(drained);
  if (!stop_.may().decides_orders) return;
  const uint64_t lag_max = process_.drain_lag_max.load(std::memory_order_relaxed);
  const bool lags = has_database && lag_max != 0 && writer_.durable() > drained + lag_max;
  desk_.refuse_new_orders(lags ? Verdict::overloaded : Verdict::ok);
}

// Each part gets what it goes by; all of it holds from this turn's first request on.
void Shard::take_rules(door::SharedRules rules) {
  connections_.set_limits(rules->limits);
  desk_.set_limits(order_limits_of(rules->limits));
  api_.set_rules(std::move(rules));
}

// Gauges for /metrics; ten times a second is often enough.
void Shard::publish() {
  turn_.enter(TurnPhase::publish);
  metrics_.turns.add();
  if (now_.boot_ns - published_ns_ < kPublishEveryNs && !stop_.has_begun()) return;
  published_ns_ = now_.boot_ns;
  const stock::DeskStats& stats = desk_.stats();
  metrics_.orders_live.set(state_.orders_live());
  metrics_.image_bytes.set(state_.image_bytes());
  metrics_.orders_max.set(std::min(settings_.desk.orders_max, state_.orders_max()));
  metrics_.orders_expired.set(stats.orders_expired);
  metrics_.orders_forgotten.set(stats.orders_forgotten);
  metrics_.users_known.set(state_.users());
  metrics_.user_counts_forgotten.set(desk_.user_counts_forgotten());
  metrics_.requests_waiting.set(desk_.waiting());
  metrics_.paid.set(stats.paid);
  metrics_.late_paid.set(stats.late_paid);
  metrics_.refund_due.set(stats.refund_due);
  metrics_.payments_rejected.set(stats.payments_rejected);
  metrics_.payments_failed.set(stats.payments_failed);
  metrics_.busiest_items.look(state_.stocks());
  metrics_.waits.set(stats.waits);
  metrics_.waits_timed_out.set(stats.waits_timed_out);
  metrics_.waits_refused.set(stats.waits_refused);
  metrics_.watches_refused.set(stats.watches_refused);
  metrics_.answers_held.set(desk_.held());
  metrics_.watchers.set(desk_.watchers());
  const stock::LeaseStats& leases = desk_.leases().stats();
  metrics_.leases.set(leases.grants);
  metrics_.units_leased.set(leases.units_granted);
  metrics_.units_returned.set(leases.units_returned);
  metrics_.segments_ready.set(segments_.ready_count());
  metrics_.new_orders_refused.set(static_cast<uint64_t>(desk_.refusal()));
}

// ---- stopping (stop.h) ----

// Nothing that a client, a neighbour, the ledger or an operator has sent waits to be taken.
bool Shard::is_inbox_empty() const {
  return arrived_.empty() && !mailbox_.has_mail() && !ledger_.has_mail() &&
         !process_.terms[settings_.shard]->has_some();
}

// No request is left that came in here.
bool Shard::has_finished() const {
  return connections_.is_drained() && desk_.is_idle() && mailbox_.has_all_answers() &&
         !is_hook_busy_;
}

StopFacts Shard::stop_facts() {
  StopFacts facts;
  facts.is_asked = process_.is_stopping.load(std::memory_order_acquire);
  facts.have_all_finished = stop_.have_all_finished();
  facts.are_all_sealed = stop_.are_all_sealed();
  // Behind the counts: what was sent before they rose lies in the lanes by now.
  facts.is_inbox_empty = is_inbox_empty();
  facts.is_log_idle = writer_.is_idle();
  facts.is_writing = writer_.is_writing();
  facts.is_overdue = stop_.is_overdue(now_);
  if (!stop_.has_begun() || !stop_.may().appends) return facts;
  // Every request in line is refused and every unsold unit is given back, from the first turn of the stop on.
  facts.are_units_returned = desk_.wind_up();
  const uint32_t untold = desk_.leases().asking_groups() | ~ledger_.ready_groups();
  facts.is_ledger_told = (untold & ledger_.available_groups()) == 0 || stop_.is_ledger_late(now_);
  return facts;
}

void Shard::go_on_with_stop() {
  const StopFacts facts = stop_facts();
  const StopPhase next = next_phase(stop_.phase(), facts);
  if (next != stop_.phase()) {
    if (next == StopPhase::finishing) {
      desk_.refuse_new_orders(Verdict::shutting_down);
      connections_.begin_stop(now_, process_.passes_on.load(std::memory_order_relaxed));
    }
    if (next == StopPhase::sealed) seal();
    if (stop_.enter(next, now_)) process_.ring_all();
  }
  if (stop_.has_begun() && has_finished() && stop_.finish()) process_.ring_all();
}

void Shard::seal() {
  const Lsn lost = writer_.appended() - writer_.durable();
  if (lost > 0)
    diag::warning(
        "shard %u stops in front of a log that takes nothing, and drops %s, of which none was "
        "acknowledged",
        settings_.shard, counted(lost, "record").c_str());
  writer_.seal();
}

}  // namespace stampede::shard
