#include "node/node.h"

#include <algorithm>

#include "base/diag.h"
#include "base/thread.h"
#include "net/listener.h"
#include "node/appender.h"
#include "shard/turns_text.h"

namespace stampede::node {
namespace {

constexpr int64_t kDrainAtStopNs = 3 * kSecond;
constexpr std::chrono::milliseconds kHelpersAtStop{500};
// Clients wait, and the process that takes this one's place drains the rest.
constexpr int64_t kDrainAtHandOverNs = 50 * kMillisecond;
constexpr std::chrono::microseconds kStartPause{200};

}  // namespace

Node::Node(NodeSettings settings, Machine& machine, Data::Use use)
    : settings_(std::move(settings)),
      machine_(machine),
      clock_(machine.clock()),
      data_(settings_.data_dir, use, machine),
      join_(make_registry()),
      descriptors_(settings_.connections_max,
                   net::operator_connections +
                       settings_.shard_count * net::descriptors_of_guests_per_shard) {
  descriptors_.limit(settings_.rules.limits.connections);
}

// Of a start that was refused: nobody will answer at what it had opened.
Node::~Node() {
  if (!parts_.empty()) return;
  if (!listeners_.empty() && owns_listen_file()) net::remove_socket_file(settings_.listen);
  if (!admin_listeners_.empty() && owns_admin_file()) net::remove_socket_file(settings_.admin);
}

uint32_t Node::orders_max_per_shard(uint32_t shard_count) const {
  const uint64_t share = settings_.orders_max / shard_count;
  return static_cast<uint32_t>(std::min<uint64_t>(share, bounds::orders_per_shard_max));
}

// More than a shard takes in by itself: after a change of their number one may have got a larger share.
uint32_t Node::order_cells(uint32_t shard_count) const {
  const uint64_t share = orders_max_per_shard(shard_count);
  return static_cast<uint32_t>(
      std::min<uint64_t>(share + share / 8 + 1024, bounds::orders_per_shard_max));
}

bool Node::is_stopping() const {
  return process_->is_stopping.load(std::memory_order_acquire);
}

// On the shard's thread. Shard 0's part is done before any other shard turns: nothing may be sold whose item is not on disk.
// A stop ends it early; nothing is sold then, and the next start logs the rest.
void Node::log_before_turning(uint32_t index) {
  const RestoredStream& stream = data_.streams()[index];
  Parts& parts = *parts_[index];
  Appender log(*stream.state, *parts.writer, *parts.disk, machine_, process_->is_stopping);
  if (stream.report.outcome == orderlog::RecoveryOutcome::torn)
    log.append(orderlog::Recovery{.truncated_batch = stream.report.end.batch_seq,
                                  .truncated_offset = stream.report.end.offset});
  if (index != 0) return;
  for (size_t i = 0; i < items_.changed.size() && log.make_room(1); ++i)
    log.append(stock::record_of(items_.changed[i]));
  // The records of one item are in one batch, so none is without its stock.
  for (size_t i = 0; i < items_.new_items.size() && log.make_room(2); ++i) {
    log.append(stock::record_of(items_.new_items[i]));
    log.append(supply_record(items_, i));
  }
  log.await_durable();
}

void Node::run_shard(uint32_t index) {
  log_before_turning(index);
  if (index == 0) {
    items_are_durable_.store(true, std::memory_order_release);
    items_are_durable_.notify_all();
  } else {
    items_are_durable_.wait(false, std::memory_order_acquire);
  }
  parts_[index]->shard->run();
}

void Node::make_admin() {
  admin_ = std::make_unique<shard::Admin>(
      *parts_[0]->shard, ledgers_->operators(), *process_,
      shard::AdminInfo{.node = settings_.node,
                       .data_dir = settings_.data_dir,
                       .ledger = settings_.redis ? cluster::text_of(*settings_.redis) : "embedded",
                       .version = settings_.version,
                       .started_wall_ms = clock_.now().wall_ms(),
                       .hosts = settings_.admin_hosts},
      [this] { return drain_status(); }, [this] { return ledgers_->status(); });
  process_->reload.wake = settings_.wake_reader;
  process_->on_terms = [this](const stock::ItemTerms& terms) {
    item_names_.set(terms.id, terms.code);
  };
  shard::Shard& shard0 = *parts_[0]->shard;
  shard0.connections().add_listener(admin_listeners_[0],
                                    {.handler = admin_.get(), .is_public = false});
  shard0.set_turn_hook([this](Moment now) { return admin_->turn(now); });
}

// There are more listeners than shards when a server with more of them was here before.
void Node::add_listeners() {
  for (size_t i = 0; i < listeners_.size(); ++i)
    parts_[i % settings_.shard_count]->shard->add_listener(listeners_[i]);
  make_admin();
}

void Node::adopt_connections() {
  uint32_t next = 0;
  for (const net::PassedConnection& passed : settings_.passed.connections) {
    if (passed.is_public)
      parts_[next++ % settings_.shard_count]->shard->adopt(passed);
    else
      parts_[0]->shard->connections().adopt(passed, {.handler = admin_.get(), .is_public = false});
  }
}

void Node::start(const std::function<bool()>& is_asked_to_stop) {
  keeper_->go_on();
  if (process_->access_log) process_->access_log->start();
  add_listeners();
  adopt_connections();
  for (uint32_t i = 0; i < settings_.shard_count; ++i)
    threads_.push_back(start_thread("a shard", [this, i] { run_shard(i); }));
  while (process_->shards_running.load() < settings_.shard_count) {
    if (is_asked_to_stop()) begin_stop();
    machine_.pause(kStartPause);
  }
  note_started();
  ledgers_->start();
  if (drainer_) drainer_->start();
}

void Node::start_by_hand() {
  add_listeners();
  for (uint32_t i = 0; i < settings_.shard_count; ++i) log_before_turning(i);
  process_->shards_running = settings_.shard_count;
  note_started();
}

void Node::note_started() {
  // No shard has ended its part early, so all of it is durable.
  if (!is_stopping())
    if (Status done = data_.end_loss(); !done)
      diag::warning("%s; the next start pauses all items again", done.error().message.c_str());
}

shard::DrainStatus Node::drain_status() const {
  shard::DrainStatus status{.has_database = drainer_ != nullptr};
  if (!drainer_) return status;
  status.rows = drainer_->stats().rows.load(std::memory_order_relaxed);
  status.rejected = drainer_->stats().rejected.load(std::memory_order_relaxed);
  status.retries = drainer_->stats().retries.load(std::memory_order_relaxed);
  status.completions = drainer_->stats().completions.load(std::memory_order_relaxed);
  status.gaps = drainer_->gaps();
  status.problem = drainer_->problem();
  status.batch_ns = &drainer_->stats().batch_ns;
  return status;
}

void Node::replace_keys(shard::SharedKeys keys) {
  process_->keys.store(std::move(keys));
  process_->keys_number.fetch_add(1, std::memory_order_release);
}

shard::Delivery Node::deliver(std::shared_ptr<const shard::Reload> reload) {
  const shard::Delivery outcome = process_->reload.deliver(std::move(reload));
  process_->ring(1);
  return outcome;
}

uint64_t Node::reloads_asked() const {
  return process_->reload.asked();
}

std::string Node::take_reload_askers() {
  return process_->reload.take_askers();
}

void Node::begin_stop() {
  process_->is_stopping.store(true, std::memory_order_release);
  process_->ring_all();
}

Status Node::begin_hand_over() {
  Result<std::vector<net::Socket>> listen = net::keep_listeners(listeners_);
  if (!listen) return listen.error();
  Result<std::vector<net::Socket>> admin = net::keep_listeners(admin_listeners_);
  if (!admin) {
    // Nobody would adopt them, and clients would wait in their queues.
    net::drop_listeners(*listen);
    return admin.error();
  }
  left_ = {.listen = *listen,
           .admin = *admin,
           .owns_listen = owns_listen_file(),
           .owns_admin = owns_admin_file(),
           .since_ns = clock_.now().boot_ns};
  process_->passes_on.store(true, std::memory_order_relaxed);
  begin_stop();
  return Ok{};
}

void Node::end_hand_over() {
  process_->passes_on.store(false, std::memory_order_relaxed);
}

bool Node::has_stopped() const {
  return process_->has_stopped();
}

bool Node::is_alive() {
  bool all = true;
  for (uint32_t i = 0; i < settings_.shard_count; ++i) {
    const uint64_t turns = process_->metrics[i]->turns.get();
    all = all && turns != turns_seen_[i];
    turns_seen_[i] = turns;
  }
  return all;
}

// Whatever it sells from here on would be given twice, or never be a row.
void Node::end_if_refused() const {
  if (!drainer_) return;
  if (drainer_->is_fenced())
    fatal(kExitLogDamaged, "%s: this node was retired, and its rows are refused",
          drainer_->problem().c_str());
  if (const std::string line = drainer_->contradiction(); !line.empty())
    fatal(kExitLogDamaged, "the database, which was away at the start, knows more: %s",
          line.c_str());
}

void Node::release_segments() {
  end_if_refused();
  for (uint32_t i = 0; i < settings_.shard_count; ++i) {
    uint32_t below = snapshotter_->covered_below(i);
    if (process_->has_database)
      below = std::min(below, process_->marks[i]->drained_segment.load(std::memory_order_acquire));
    segments_[i]->release_below(below);
  }
}

void Node::tell_slow_turns() {
  for (uint32_t i = 0; i < settings_.shard_count; ++i)
    shard::tell_slow_turns(i, *process_->turns[i], slow_turns_told_[i], clock_.now());
}

bool Node::finish() {
  for (std::thread& thread : threads_) thread.join();
  std::vector<orderlog::Position> ends;
  bool is_at_rest = true;
  for (uint32_t i = 0; i < settings_.shard_count; ++i) {
    const orderlog::Writer& writer = *parts_[i]->writer;
    is_at_rest = is_at_rest && writer.is_idle();
    ends.push_back(writer.is_idle() ? writer.position() : data_.streams()[i].report.end);
  }
  if (Status noted = data_.note_log_ends(ends, is_at_rest); !noted)
    diag::warning("%s; the manifest does not know how far the log reaches",
                  noted.error().message.c_str());
  ledgers_->stop();
  const bool passes_on = process_->passes_on.load(std::memory_order_relaxed);
  const int64_t drain_ns = passes_on ? kDrainAtHandOverNs : kDrainAtStopNs;
  if (drainer_ && !drainer_->stop(clock_.now().boot_ns + drain_ns) && !passes_on)
    diag::notice(
        "the database does not have everything yet; the next start, or `stampede drain`, goes on");
  process_->access_log.reset();  // writes the last lines
  if (passes_on) {
    for (const std::unique_ptr<Parts>& parts : parts_) parts->shard->pass_on(left_.connections);
    return true;
  }
  if (owns_listen_file()) net::remove_socket_file(settings_.listen);
  if (owns_admin_file()) net::remove_socket_file(settings_.admin);
  const bool has_ended = keeper_->end_within(kHelpersAtStop);
  if (has_ended) keeper_->stop();
  return has_ended;
}

net::Address Node::listen_address() const {
  return net::address_of(listeners_[0]);
}
net::Address Node::admin_address() const {
  return net::address_of(admin_listeners_[0]);
}

}  // namespace stampede::node
