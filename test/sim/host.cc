#include "host.h"

#include <algorithm>

#include "base/check.h"
#include "ended.h"
#include "node/reclaim.h"
#include "world_terms.h"

namespace stampede::sim {
namespace {

constexpr uint32_t kOrdersMax = 2'000;
constexpr int64_t kStopMaxNs = 9 * kSecond;  // what a stop of the shards may take
constexpr int64_t kDrainAtStopNs = 3 * kSecond;
constexpr uint64_t kHelpers = 7;        // beside the shards
constexpr uint32_t kWaitsMax = 20'000;  // of a start, for its disk

constexpr size_t kListeners = 2;  // buyers' and operators'

}  // namespace

Host::Host(const Plan& plan, uint32_t number, const std::string& root, Surroundings around,
           Random random)
    : plan_(plan),
      number_(number),
      files_(around.servers.files.add_machine(root)),
      around_(std::move(around)),
      random_(random),
      shards_(plan.shards),
      next_shards_(plan.shards),
      places_(plan.places == 0 ? SIZE_MAX : kListeners + plan.places) {}

Host::~Host() {
  if (node_) kill(false);
}

node::NodeSettings Host::settings() const {
  node::NodeSettings settings;
  settings.data_dir = dir();
  // Whoever starts a node looks at its files before.
  Inputs inputs = around_.servers.inputs;
  inputs.is_broken = false;
  settings.catalog = *read_catalog(plan_, inputs);
  settings.catalog_dir = around_.servers.scratch;
  settings.bloom_rate = plan_.bloom_rate;
  if (plan_.access_sample != 0) settings.access_log = access_log();
  settings.access_sample = plan_.access_sample;
  settings.origins = *http::Origins::make({"https://shop.example", "https://other.example"});
  settings.connections_max = 1'000;
  settings.shard_count = next_shards_;
  if (plan_.has_database)
    settings.database = {.kind = drain::DatabaseUrl::Kind::sqlite, .path = "simulated", .url = ""};
  settings.node = number_;
  if (plan_.is_shared && !is_alone_) settings.redis = world_redis(plan_);
  // The registry of several nodes lies in the database that they share.
  if (plan_.nodes > 1) settings.database.kind = drain::DatabaseUrl::Kind::postgres;
  settings.retain_ms = 60'000;
  settings.lease_max = plan_.lease_max;
  settings.segment_bytes = plan_.segment_bytes;
  settings.orders_max = uint64_t{kOrdersMax} * next_shards_;
  settings.keys = *read_keys(inputs);
  settings.operators = *read_operators(plan_);
  settings.blocked = *read_blocked(plan_);
  settings.rules.limits = plan_.limits;
  settings.rules.blocked.file = settings.blocked;
  settings.by_ticket = plan_.has(Mishap::tickets);
  settings.admin_hosts.names = {"here"};
  return settings;
}

std::string Host::access_log() const {
  return around_.servers.scratch + "/access-" + std::to_string(number_) + ".log";
}

// ---- the start

void Host::make_machine() {
  machines_.push_back(std::make_unique<SimMachine>(
      around_.servers, files_, number_, SimMachine::Boot{{number_ + 1, boots_}, booted_ns_},
      random_.fork(), around_.pass_time));
  machine().limit_places(places_);
}

void Host::lift_places() {
  places_ = SIZE_MAX;
  if (!machines_.empty()) machine().limit_places(places_);
}

bool Host::start_with_loss(std::function<void()> on_accepted) {
  on_accepted_ = std::move(on_accepted);
  const bool has_started = start();
  if (exit_code_ == kExitLogDamaged || exit_code_ == kExitUsage) on_accepted_ = nullptr;
  return has_started;
}

bool Host::start() {
  CHECK(state_ == State::down && !is_leaving_);
  if (awaits_loss()) next_shards_ = shards_;
  ++life_;
  waits_ = 0;
  is_open_ = wants_reload_ = false;
  refusal_.clear();
  exit_code_ = 0;
  make_machine();
  node::NodeSettings how = settings();
  how.accepts_loss = awaits_loss();
  how.wake_reader = [this] { wants_reload_ = true; };
  node_ = std::make_unique<node::Node>(std::move(how), machine());
  state_ = State::running;
  const bool has_started = guarded("start", [this] {
    if (const node::MayEnd end = node_->open()) {
      refusal_ = end->message;
      exit_code_ = end->exit_code;
      return;
    }
    is_open_ = true;
    node_->start_by_hand();
  });
  if (!has_started) return false;
  if (exit_code_ != 0) {
    around_.note("refused with " + std::to_string(exit_code_));
    drop(false);
    return false;
  }
  shards_ = next_shards_;
  has_left_.assign(shards_, false);
  ledger_due_ns_ = 0;
  around_.note("started with " + std::to_string(shards_) + " shards");
  if (awaits_loss()) std::exchange(on_accepted_, nullptr)();
  return true;
}

// ---- its steps

// False: the process ended in it.
bool Host::guarded(const char* what, const std::function<void()>& step) {
  set_on_end([this] { files_.kill(random_); });
  try {
    step();
    return true;
  } catch (const NodeEnded& ended) {
    exit_code_ = ended.exit_code;
    if (ended.is_bug) bug_ = "a CHECK failed";
    around_.note(std::string("ended in ") + what + " with " + std::to_string(ended.exit_code));
  }
  drop(false);
  return false;
}

void Host::turn(uint32_t shard) {
  if (has_left_[shard]) return;
  guarded("a turn", [this, shard] { has_left_[shard] = !node_->turn_shard(shard); });
}

// Whoever waits for signals and for operators who ask for what a signal does.
void Host::read_again() {
  if (!wants_reload_) return;
  const uint64_t asked = node_->reloads_asked();
  const Inputs& inputs = around_.servers.inputs;
  const shard::Delivery outcome =
      node_->deliver(std::make_shared<const shard::Reload>(sim::read_again(plan_, inputs, asked)));
  CHECK(outcome != shard::Delivery::lacks_keys);  // no file of theirs lacks any
  wants_reload_ = outcome == shard::Delivery::full;
}

// A step of the threads beside the shards.
void Host::help(uint64_t choice) {
  if (choice == 0) guarded("preparing segments", [this] { (void)node_->prepare_segments(); });
  if (choice == 1) guarded("a snapshot", [this] { (void)node_->make_snapshots(); });
  if (choice == 2 && node_->drainer() != nullptr)
    guarded("draining", [this] { (void)node_->drainer()->step(); });
  if (choice == 3) guarded("recycling", [this] { node_->release_segments(); });
  if (choice == 4) step_ledger();
  if (choice == 5) read_again();
  if (choice == 6) (void)node_->write_access_log();
}

void Host::step_ledger() {
  guarded("a step of the ledger", [this] {
    const int64_t now_ns = around_.servers.clock.now().boot_ns;
    if (!node_->ledgers().take_wake() && now_ns < ledger_due_ns_) return;
    const std::chrono::milliseconds wait = node_->ledgers().step();
    // Its thread was held up by calls that were not answered; the shards were not.
    ledger_due_ns_ = now_ns + wait.count() * kMillisecond + machine().take_waited_ns();
  });
}

void Host::step(uint64_t choice) {
  CHECK(state_ != State::down);
  // Shards turn more often than the others.
  const uint64_t part = choice % (3 * shards_ + kHelpers);
  if (part < 3 * shards_)
    turn(static_cast<uint32_t>(part % shards_));
  else
    help(part - 3 * shards_);
  if (state_ == State::stopping) finish();
}

void Host::step_all() {
  for (uint32_t i = 0; i < shards_ && state_ != State::down; ++i) turn(i);
  for (uint64_t i = 0; i < kHelpers && state_ != State::down; ++i) help(i);
  if (state_ == State::stopping) finish();
}

// A start waits for its disk, and while there is no room for a segment, for that.
void Host::step_while_waiting() {
  ++waits_;
  // An operator loses his patience.
  if (waits_ > kWaitsMax) throw NodeEnded{.exit_code = 137};
  files_.settle_writes();
  if (is_open_) (void)node_->prepare_segments();
}

bool Host::is_quiet() const {
  if (state_ == State::down) return true;
  for (uint32_t i = 0; i < shards_; ++i)
    if (!has_left_[i] && !machine().is_at_rest(i)) return false;
  return true;
}

int64_t Host::rests_until_ns() const {
  if (state_ == State::down) return INT64_MAX;
  const int64_t now_ns = around_.servers.clock.now().boot_ns;
  int64_t rest_ns = INT64_MAX;
  if (plan_.is_shared) rest_ns = std::max<int64_t>(ledger_due_ns_ - now_ns, 0);
  for (uint32_t i = 0; i < shards_; ++i) {
    if (has_left_[i]) continue;
    const int64_t wait_ns = machines_.back()->net(i).last_wait_ns();
    rest_ns = std::min(rest_ns, wait_ns < 0 ? kSecond : wait_ns);
  }
  if (rest_ns != INT64_MAX) rest_ns += now_ns;
  return std::min(rest_ns, files_.due_ns().value_or(INT64_MAX));
}

// ---- its ends

void Host::begin_stop() {
  CHECK(state_ == State::running);
  state_ = State::stopping;
  stop_began_ns_ = around_.servers.clock.now().boot_ns;
  around_.note("stopping");
  node_->begin_stop();
}

// The end of an orderly stop, when every shard has left.
void Host::finish() {
  const int64_t took_ns = around_.servers.clock.now().boot_ns - stop_began_ns_;
  if (std::ranges::find(has_left_, false) != has_left_.end()) {
    // A write that is under way is waited for, and a process that stands still stops later.
    const bool is_held_up = plan_.has(Mishap::slow_disk) || plan_.has(Mishap::freeze);
    if (took_ns <= kStopMaxNs + (is_held_up ? 20 * kSecond : 0)) return;
    bug_ = "a stop takes longer than it may";
    around_.note(bug_);
    return kill(false);
  }
  if (drain::Drainer* const drainer = node_->drainer(); drainer != nullptr) {
    const bool must_wait = !drainer->is_drained() && took_ns <= kStopMaxNs + kDrainAtStopNs;
    if (must_wait) return;
  }
  if (!guarded("the end of a stop", [this] { (void)node_->finish(); })) return;
  // One that was not pressed for time has given back what it had not sold.
  if (took_ns < kStopMaxNs / 2 && pooled_units() != 0)
    bug_ = "node " + std::to_string(number_) + " has stopped with " +
           std::to_string(pooled_units()) + " units in its pools";
  around_.note("stopped");
  drop(false);
}

uint64_t Host::pooled_units() {
  uint64_t units = 0;
  for (uint32_t shard = 0; shard < shards_; ++shard)
    for (uint32_t item = 0; item < plan_.items; ++item)
      units += node_->shard(shard).state().stock(item).pool();
  return units;
}

uint64_t Host::reserved_units() {
  uint64_t units = 0;
  for (uint32_t shard = 0; shard < shards_; ++shard)
    for (uint32_t item = 0; item < plan_.items; ++item)
      units += node_->shard(shard).state().stock(item).reserved;
  return units;
}

uint64_t Host::polls() {
  uint64_t polls = 0;
  for (uint32_t shard = 0; shard < shards_; ++shard) polls += node_->shard(shard).desk().watchers();
  return polls;
}

std::optional<KnownState> Host::state_of(uint64_t order) {
  for (uint32_t shard = 0; shard < shards_; ++shard) {
    const stock::StreamState& state = node_->shard(shard).state();
    const uint32_t index = state.find_order(OrderId{order});
    if (index == kNone) continue;
    const stock::Order& known = state.order(index);
    return KnownState{std::string(name_of(known.state)), known.quantity, known.refund_due};
  }
  return std::nullopt;
}

void Host::kill(bool is_power) {
  CHECK(state_ != State::down);
  around_.note(is_power ? "power cut" : "killed");
  if (is_power) {
    files_.cut_power(random_);
    ++boots_;
    booted_ns_ = around_.servers.clock.now().boot_ns -
                 static_cast<int64_t>(random_.between(1, 100'000)) * kMillisecond;
  } else {
    files_.kill(random_);
  }
  drop(is_power);
}

// The process is gone, and what it was made of is taken apart behind its back.
void Host::drop(bool is_silent) {
  state_ = State::down;
  machine().cut();
  if (!files_.has_ended()) files_.kill(random_);
  // A writer is not taken apart in the middle of a write: to the process it is done.
  for (uint32_t i = 0; i < node_->shards_made(); ++i) {
    (void)node_->shard(i).writer().poll(machine().clock().now());
  }
  node_.reset();
  around_.servers.files.restore(files_);
  machine().end_connections(is_silent);
}

// ---- and its leaving

// By a process of its own.
Status Host::reclaim(cluster::ScriptCaller& redis, cluster::Registry& registry) {
  CHECK(state_ == State::down && is_leaving_);
  is_open_ = false;
  waits_ = 0;
  make_machine();
  set_on_end([this] { files_.kill(random_); });
  Status done = Error{"it was ended"};
  try {
    const node::NodeSettings of_node = settings();
    node::Reclaimed reclaimed;
    const node::MayEnd end =
        node::reclaim({.node = number_, .data_dir = of_node.data_dir, .database = of_node.database},
                      machine(), redis, registry, reclaimed);
    done = end ? Status(Error{end->message}) : Status(Ok{});
  } catch (const NodeEnded& ended) {
    if (ended.is_bug) bug_ = "a CHECK failed in a reclaim";
  }
  if (!files_.has_ended()) files_.kill(random_);
  around_.servers.files.restore(files_);
  return done;
}

void Host::note_left(std::map<uint64_t, KnownState> orders) {
  left_orders_ = std::move(orders);
  around_.note("has left");
}

}  // namespace stampede::sim
