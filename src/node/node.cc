#include "node/node.h"

#include <algorithm>

#include "base/diag.h"
#include "base/thread.h"
#include "net/listener.h"
#include "node/appender.h"

namespace stampede::node {
namespace {

constexpr int64_t kDrainAtStopNs = 3 * kSecond;
constexpr std::chrono::microseconds kStartPause{200};

}  // namespace

Node::Node(NodeSettings settings, Machine& machine, Data::Use use)
    : settings_(std::move(settings)),
      machine_(machine),
      clock_(machine.clock()),
      data_(settings_.data_dir, use, machine),
      join_(make_registry()),
      descriptors_(settings_.connections_max, net::operator_connections) {}

Node::~Node() = default;

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
  Appender log(*stream.state, *parts.writer, *parts.disk, machine_, &process_->is_stopping);
  if (stream.report.outcome == orderlog::RecoveryOutcome::torn)
    log.append(orderlog::Recovery{.truncated_batch = stream.report.end.batch_seq,
                                  .truncated_offset = stream.report.end.offset});
  if (has_lost_) log.append(orderlog::SequenceFloor{sequence_floor_});
  const size_t changed = index == 0 ? items_.changed.size() : 0;
  for (size_t i = 0; i < changed && log.make_room(1); ++i)
    log.append(stock::record_of(items_.changed[i]));
  // The records of one item are in one batch, so none is without its stock.
  const size_t added = index == 0 ? items_.new_items.size() : 0;
  for (size_t i = 0; i < added && log.make_room(2); ++i) {
    log.append(stock::record_of(items_.new_items[i]));
    log.append(orderlog::Supply{.item = items_.new_items[i].id,
                                .supplied = items_.new_supplies[i].supplied,
                                .withdrawn = items_.new_supplies[i].withdrawn});
  }
  if (index == 0 || has_lost_) log.await_durable();
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

void Node::add_listeners() {
  for (uint32_t i = 0; i < settings_.shard_count; ++i)
    parts_[i]->shard->add_listener(listeners_[i]);
  make_admin();
}

void Node::start(const std::function<bool()>& is_asked_to_stop) {
  keeper_->go_on();
  add_listeners();
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
  return status;
}

void Node::replace_keys(shard::SharedKeys keys) {
  process_->keys.store(std::move(keys));
  process_->keys_number.fetch_add(1, std::memory_order_release);
}

bool Node::deliver(std::shared_ptr<const shard::Reload> reload) {
  const bool is_delivered = process_->reload.deliver(std::move(reload));
  process_->ring(1);
  return is_delivered;
}

uint64_t Node::reloads_asked() const {
  return process_->reload.asked();
}

void Node::begin_stop() {
  process_->is_stopping.store(true, std::memory_order_release);
  process_->ring_all();
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

void Node::release_segments() {
  if (drainer_ && drainer_->is_fenced())
    fatal(kExitLogDamaged, "%s: this node was retired, and its rows are refused",
          drainer_->problem().c_str());
  for (uint32_t i = 0; i < settings_.shard_count; ++i) {
    uint32_t below = snapshotter_->covered_below(i);
    if (process_->has_database)
      below = std::min(below, process_->marks[i]->drained_segment.load(std::memory_order_acquire));
    segments_[i]->release_below(below);
  }
}

void Node::finish() {
  for (std::thread& thread : threads_) thread.join();
  std::vector<orderlog::Position> ends;
  for (uint32_t i = 0; i < settings_.shard_count; ++i) {
    const orderlog::Writer& writer = *parts_[i]->writer;
    ends.push_back(writer.is_idle() ? writer.position() : data_.streams()[i].report.end);
  }
  if (Status noted = data_.note_log_ends(ends); !noted)
    diag::warning("%s; the manifest does not know how far the log reaches",
                  noted.error().message.c_str());
  ledgers_->stop();
  if (drainer_ && !drainer_->stop(clock_.now().boot_ns + kDrainAtStopNs))
    diag::notice(
        "the database does not have everything yet; the next start, or `stampede drain`, goes on");
  keeper_->stop();
  if (!settings_.listen_socket) net::remove_socket_file(settings_.listen);
  if (!settings_.admin_socket) net::remove_socket_file(settings_.admin);
}

net::Address Node::listen_address() const {
  return net::address_of(listeners_[0]);
}
net::Address Node::admin_address() const {
  return net::address_of(admin_listeners_[0]);
}

}  // namespace stampede::node
