#include "shard/shard.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <cstdio>
#include <utility>

namespace stampede::shard {
namespace {

constexpr uint64_t kDoorbellToken = Front::kForeignToken | 1;
constexpr uint64_t kDiskToken = Front::kForeignToken | 2;
constexpr int64_t kSleepMaxNs = kSecond;
constexpr int64_t kGatherNs = 200'000;
constexpr int64_t kBlockedSleepNs =
    10 * kMillisecond;  // the log waits for a segment or a lagging drainer
constexpr int64_t kLastExchangeNs = 2 * kSecond;
constexpr int64_t kPublishEveryNs = 100 * kMillisecond;

}  // namespace

Process::Process(uint32_t shards) : shard_count(shards), orders(shards), ledger(shards) {
  for (uint32_t i = 0; i < shards; ++i) {
    terms.push_back(std::make_unique<Lane<stock::ItemTerms>>(bounds::control_slots));
    doorbells.push_back(std::make_unique<net::Doorbell>());
    metrics.push_back(std::make_unique<Metrics>());
    marks.push_back(std::make_unique<orderlog::Marks>());
  }
}

void Process::ring(uint64_t shards) {
  for (uint32_t shard = 0; shards != 0; ++shard, shards >>= 1)
    if (shards & 1) doorbells[shard]->ring();
}

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
      desk_(settings.desk, state, catalog, *this, *this, sequence_max, now_),
      front_(settings.front, net, catalog, *this, metrics_, now_),
      asks_(bounds::lines_per_exchange_max) {
  if (!net_.watch(doorbell_.socket(), kDoorbellToken, net::Interest::read) ||
      !net_.watch(disk_.event_fd(), kDiskToken, net::Interest::read))
    fatal(kExitFailure, "cannot watch the doorbell of shard %u", settings.shard);
  desk_.release(writer_.durable());
}

void Shard::run() {
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
  // First the only place where the thread may sleep; the clock is read behind it, once, for the whole turn.
  poll_sockets();
  // Answers of other shards before their requests: they give back credits and free places. Requests before expiry: a
  // payment that has arrived beats an expiry that is only due.
  take_inbox();
  desk_.pass_time(now_);
  // After the requests, so that one exchange carries the whole turn's demand; before the log, so that grants and the
  // reservations made from them lie in one group commit.
  exchange_with_ledger();
  // After everything that appends. What is appended while the write is in flight is the next commit.
  write_log();
  // Behind the log, so that an operator's change takes effect in the turn in which it became durable.
  if (turn_hook_) turn_hook_(now_);
  // Only behind the durable mark does an answer leave.
  release_answers();
  // Last: every answer of this turn goes out with one write per socket, every neighbour is rung at most once.
  front_.flush();
  process_.ring(mailbox_.take_touched() | ledger_.take_touched());
  publish();
  return !wind_up();
}

void Shard::poll_sockets() {
  int64_t wait_ns = has_work() ? 0 : sleep_ns();
  if (wait_ns != 0) {
    doorbell_.lie_down();
    // Whoever pushed before it could see us asleep did not ring.
    if (has_work() || process_.is_stopping.load(std::memory_order_acquire) != is_stopping_)
      wait_ns = 0;
    metrics_.polls_slept.add(wait_ns != 0);
    if (wait_ns != 0 && writer_.is_writing()) wait_ns = gather(wait_ns);
  }
  const std::span<const net::Event> events = net_.poll(wait_ns);
  doorbell_.get_up();
  now_ = clock_.now();
  pull_levers();
  front_.pass_time(now_);
  for (const net::Event& event : events) {
    if (event.token == kDoorbellToken)
      doorbell_.drain();
    else if (event.token == kDiskToken)
      disk_.drain_events();
    else if (ledger_.is_mine(event.token))
      ledger_.on_event(event);
    else
      front_.on_event(event, now_);
  }
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
  return front_.has_work() || mailbox_.has_mail() || ledger_.has_mail() ||
         (desk_.asking_groups() & ledger_.ready_groups()) != 0 ||
         process_.terms[settings_.shard]->has_some();
}

int64_t Shard::sleep_ns() {
  const int64_t now_ns = clock_.now().boot_ns;
  int64_t until =
      std::min({desk_.quiet_until_ns(), front_.quiet_until_ns(), ledger_.quiet_until_ns(),
                now_ns + kSleepMaxNs, std::exchange(look_again_ns_, INT64_MAX)});
  if (writer_.is_blocked() || is_stopping_) until = std::min(until, now_ns + kBlockedSleepNs);
  // A timer whose work is refused for lack of room in the log must not spin.
  return std::max<int64_t>(until - now_ns, has_room_for_change() ? 0 : kMillisecond);
}

void Shard::take_inbox() {
  mailbox_.take_answers([&](const OrderAnswer& answer) { front_.complete(answer); });
  process_.terms[settings_.shard]->take(bounds::control_slots, [&](const stock::ItemTerms& terms) {
    catalog_.upsert(terms);
    desk_.on_new_terms(terms.id);
  });
  mailbox_.take_requests([&](const OrderRequest& request) { desk_.handle(request, now_); });
  mailbox_.send_waiting_notices();
}

void Shard::exchange_with_ledger() {
  ledger_.poll(*this, now_);
  desk_.set_available_groups(ledger_.available_groups());
  const uint32_t groups = desk_.asking_groups() & ledger_.ready_groups();
  if (groups == 0) return;
  const size_t count = desk_.collect_asks(groups, asks_, now_);
  ledger_.exchange(*this, std::span(asks_).first(count), now_);
}

Lsn Shard::promise(uint64_t epoch) {
  writer_.set_epoch(epoch);
  const orderlog::Epoch record{.epoch = epoch};
  const Lsn lsn = writer_.append(record);
  CHECK(bool(state_.apply(record, lsn, now_)));
  return lsn;
}

void Shard::write_log() {
  if (writer_.is_writing() && writer_.poll(now_)) {
    const Lsn durable = writer_.durable();
    metrics_.log_write_ns.record(now_.boot_ns - write_started_ns_);
    metrics_.batch_records.record(durable + 1 - write_first_lsn_);
  }
  if (!writer_.start_write(now_)) return;
  write_started_ns_ = now_.boot_ns;
  write_first_lsn_ = writer_.durable() + 1;
  metrics_.log_writes.add();
}

void Shard::release_answers() {
  const Lsn durable = writer_.durable();
  desk_.release(durable);
  marks_.acked.store(durable, std::memory_order_release);
}

void Shard::deliver(const OrderAnswer& answer) {
  if (answer.verdict == Verdict::created) {
    metrics_.reserved_ns.record(answer.reserved_boot_ns - answer.received_boot_ns);
    metrics_.durable_ns.record(now_.boot_ns - answer.reserved_boot_ns);
  }
  if (answer.reply_to.shard == settings_.shard)
    front_.complete(answer);
  else
    mailbox_.answer(answer);
}

bool Shard::submit(const OrderRequest& request) {
  const bool is_by_user = request.kind == RequestKind::create || request.kind == RequestKind::list;
  const uint32_t slot = is_by_user ? slot_of(request.user_hash) : request.order.slot();
  const uint32_t home = shard_of_slot(slot, process_.shard_count);
  if (home != settings_.shard) {
    metrics_.requests_forwarded.add();
    return mailbox_.send(home, request);
  }
  desk_.handle(request, now_);
  return true;
}

Orders::Glance Shard::glance(ItemId item) {
  return desk_.glance(item, now_);
}

// What operators and the rest of the process have set; one look per turn.
void Shard::pull_levers() {
  if (const uint64_t number = process_.keys_number.load(std::memory_order_acquire);
      number != keys_number_) {
    keys_number_ = number;
    front_.set_keys(process_.keys.load());
  }
  desk_.set_lease_max(process_.lease_max.load(std::memory_order_relaxed));
  if (process_.is_stopping.load(std::memory_order_acquire) && !is_stopping_) {
    is_stopping_ = true;
    stop_began_ns_ = now_.boot_ns;
    desk_.refuse_new_orders(Verdict::shutting_down);
    front_.begin_stop(now_);
  }
  const bool has_database = process_.has_database.load(std::memory_order_relaxed);
  const Lsn drained =
      has_database ? marks_.drained.load(std::memory_order_acquire) : writer_.durable();
  desk_.set_drained(drained);
  if (is_stopping_) return;
  const uint64_t lag_max = process_.drain_lag_max.load(std::memory_order_relaxed);
  const bool lags = has_database && lag_max != 0 && writer_.durable() > drained + lag_max;
  desk_.refuse_new_orders(lags ? Verdict::overloaded : Verdict::ok);
}

// Gauges for /metrics; ten times a second is often enough.
void Shard::publish() {
  metrics_.turns.add();
  if (now_.boot_ns - published_ns_ < kPublishEveryNs && !is_stopping_) return;
  published_ns_ = now_.boot_ns;
  const stock::DeskStats& stats = desk_.stats();
  metrics_.orders_live.set(state_.orders_live());
  metrics_.orders_max.set(std::min(settings_.desk.orders_max, state_.orders_max()));
  metrics_.orders_expired.set(stats.orders_expired);
  metrics_.orders_forgotten.set(stats.orders_forgotten);
  metrics_.requests_waiting.set(desk_.waiting());
  metrics_.waits.set(stats.waits);
  metrics_.waits_timed_out.set(stats.waits_timed_out);
  metrics_.answers_held.set(desk_.held());
  metrics_.watchers.set(desk_.watchers());
  metrics_.leases.set(stats.leases);
  metrics_.units_leased.set(stats.units_leased);
  metrics_.units_returned.set(stats.units_returned);
  metrics_.segments_ready.set(segments_.ready_count());
  metrics_.new_orders_refused.set(static_cast<uint64_t>(desk_.refusal()));
}

// Stopping: finish what is under way, give every unsold unit back, and leave together with the others; a neighbour may
// still need this shard's answers.
bool Shard::wind_up() {
  if (!is_stopping_) return false;
  // The ledger should hear of what was given back; it will learn of it from the log otherwise.
  const uint32_t untold = desk_.asking_groups() | ~ledger_.ready_groups();
  const bool is_ledger_told =
      (untold & ledger_.available_groups()) == 0 || now_.boot_ns - stop_began_ns_ > kLastExchangeNs;
  const bool is_done = desk_.wind_up() && writer_.is_idle() && front_.is_drained() &&
                       !mailbox_.has_mail() && is_ledger_told;
  if (is_done && !has_stopped_) {
    has_stopped_ = true;
    if (process_.shards_stopped.fetch_add(1) + 1 == process_.shard_count)
      process_.ring(~uint64_t{0} >> (64 - process_.shard_count));
  }
  return process_.shards_stopped.load(std::memory_order_acquire) == process_.shard_count;
}

}  // namespace stampede::shard
