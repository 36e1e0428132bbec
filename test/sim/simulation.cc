#include "simulation.h"

#include <algorithm>
#include <map>

#include "base/check.h"
#include "ended.h"
#include "node/data.h"
#include "world_terms.h"

namespace stampede::sim {
namespace {

constexpr int64_t kHealingNs = 120 * kSecond;
constexpr int64_t kReadingNs = 60 * kSecond;
constexpr int64_t kStoppingNs = 15 * kSecond;
constexpr int64_t kRestMaxNs = kSecond;
// A world in which nothing moves for so many rounds will never move.
constexpr uint64_t kRoundsMax = 3'000'000;

// What a node's memory or log says of its orders.
struct KnownState {
  std::string state;
  uint32_t quantity = 0;
  int64_t refund_due = 0;
  friend bool operator==(const KnownState&, const KnownState&) = default;
};
using KnownStates = std::map<uint64_t, KnownState>;

void add_orders(const stock::StreamState& state, KnownStates& known) {
  for (uint32_t i = 0; i < state.orders_touched(); ++i) {
    const stock::Order& order = state.order(i);
    if (order.is_live)
      known[order.id.value] = {std::string(name_of(order.state)), order.quantity, order.refund_due};
  }
}

KnownStates states_in_memory(Host& host) {
  KnownStates known;
  for (uint32_t i = 0; i < host.shards(); ++i) add_orders(host.node().shard(i).state(), known);
  return known;
}

}  // namespace

Simulation::Simulation(const Plan& plan, const std::string& scratch, bool prints)
    : plan_(plan),
      dir_(scratch),
      began_ns_(clock_.now().boot_ns),
      random_(Random(plan.seed).next()),
      fault_random_(random_.fork()),
      truth_(plan_, history_),
      database_(scratch + "/orders.db", random_.fork()) {
  journal_.print_all(prints);
  const auto note_line = [this](const std::string& line) { note(line); };
  host_ = std::make_unique<Host>(plan_, scratch + "/data",
                                 Host::Surroundings{.clock = clock_,
                                                    .database = database_,
                                                    .pass_time = [this] { pass_time(); },
                                                    .note = note_line},
                                 random_.fork());
  people_ =
      std::make_unique<People>(plan_, *host_, history_, truth_, clock_, random_.fork(), note_line);
  operators_ =
      std::make_unique<Operators>(plan_, *host_, history_, clock_, random_.fork(), note_line);
  for (size_t i = 0; i < kFaultCount; ++i) {
    ends_ns_[i] = happens_ns_[i] = INT64_MAX;
    if (plan_.has(static_cast<Fault>(i)))
      happens_ns_[i] =
          began_ns_ +
          static_cast<int64_t>(fault_random_.below(static_cast<uint64_t>(2 * plan_.every_ns[i])));
  }
}

Simulation::~Simulation() = default;

int64_t Simulation::since_start_ns() const {
  return const_cast<world::FakeClock&>(clock_).now().boot_ns - began_ns_;
}

bool Simulation::is_broken() const {
  return !history_.broken_promises().empty() || host_->has_bug();
}

Outcome Simulation::run() {
  be_safe();
  if (!is_broken()) heal();
  if (!is_broken()) make_progress();
  if (!is_broken()) end_in_order();
  Outcome outcome{.broken = history_.broken_promises(),
                  .last_turns = journal_.tail(),
                  .trace = journal_.hash(),
                  .answers = people_->answers(),
                  .orders = history_.orders().size(),
                  .lives = host_->life(),
                  .steps = steps_,
                  .simulated_ns = since_start_ns()};
  if (host_->has_bug()) outcome.broken.emplace_back("a CHECK failed or a stop took too long");
  return outcome;
}

// ---- phases ----

void Simulation::be_safe() {
  const int64_t end_ns = began_ns_ + plan_.safety_s * kSecond;
  while (clock_.now().boot_ns < end_ns && !is_broken()) {
    let_faults_happen();
    step();
  }
}

void Simulation::heal() {
  note("healing");
  end_faults();
  operators_->close_sale();
  run_until([this] { return host_->is_up() && operators_->has_closed(); }, kHealingNs,
            "the operators do not finish");
  for (uint32_t i = 0; i < plan_.items && !is_broken(); ++i)
    if (operators_->supplied(i) != static_cast<int64_t>(truth_.supplied(i)))
      history_.broken("restocks of " + item_code(i) + " add up to " +
                      std::to_string(operators_->supplied(i)) + ", and the node has " +
                      std::to_string(truth_.supplied(i)));
}

void Simulation::make_progress() {
  note("progress");
  people_->close_sale();
  if (!run_until([this] { return people_->has_closed(); }, (2 * plan_.pay_window_s + 300) * kSecond,
                 "the sale does not end"))
    return;
  people_->read_all();
  if (!run_until([this] { return people_->has_read_all(); }, kReadingNs, "orders are not read"))
    return;
  if (drain::Drainer* const drainer = host_->node().drainer(); drainer != nullptr)
    run_until([drainer] { return drainer->is_drained(); }, kHealingNs,
              "the database does not get everything");
}

void Simulation::end_in_order() {
  compare_database();
  const KnownStates known = states_in_memory(*host_);
  host_->begin_stop();
  if (!run_until([this] { return host_->state() == Host::State::down; }, kStoppingNs,
                 "the node does not stop"))
    return;
  node::Data data(dir_ + "/data", node::Data::Use::reading, host_->machine());
  node::MayEnd end = data.open();
  if (!end) end = data.restore(4'000);
  if (end) return history_.broken("the log cannot be read behind a stop: " + end->message);
  KnownStates logged;
  for (const node::RestoredStream& stream : data.streams()) add_orders(*stream.state, logged);
  if (logged != known) history_.broken("the log says something else than the node did");
  for (const auto& [id, told] : history_.orders()) {
    const auto found = logged.find(world::order_number(id));
    if (found == logged.end())
      history_.broken("order " + id + " was acknowledged and is not in the log");
    else if (found->second.state != told.state && told.state != "reserved")
      history_.broken("order " + id + " was " + told.state + " and is " + found->second.state +
                      " in the log");
  }
}

void Simulation::compare_database() {
  if (!plan_.has_database) return;
  Result<std::unique_ptr<drain::DatabaseReader>> reader = database_.open_reader();
  if (!reader) return history_.broken("the database cannot be read: " + reader.error().message);
  KnownStates rows;
  for (std::string last;;) {
    const Result<std::vector<drain::StoredOrder>> page = (*reader)->orders_after(last, 1'000);
    if (!page) return history_.broken("rows cannot be read: " + page.error().message);
    if (page->empty()) break;
    for (const drain::StoredOrder& row : *page)
      rows[world::order_number(row.order_id)] = {row.state, static_cast<uint32_t>(row.qty),
                                                 row.refund_due};
    last = page->back().order_id;
  }
  if (rows != states_in_memory(*host_))
    history_.broken(
        "the database says something else than the node: " + std::to_string(rows.size()) + " rows");
}

bool Simulation::run_until(const std::function<bool()>& is_done, int64_t patience_ns,
                           const char* what) {
  const int64_t end_ns = clock_.now().boot_ns + patience_ns;
  const uint64_t last_step = steps_ + kRoundsMax;
  while (!is_done() && !is_broken()) {
    if (clock_.now().boot_ns > end_ns || steps_ > last_step) {
      history_.broken(std::string("no progress: ") + what + "; " + people_->open_wishes());
      break;
    }
    step();
  }
  return !is_broken();
}

// ---- the scheduler ----

// A round: some parts in any order, or each once; then people.
void Simulation::step() {
  ++steps_;
  bool has_turned_all = false;
  if (host_->state() == Host::State::down) {
    if (clock_.now().boot_ns >= restart_ns_) restart();
  } else if (!is_frozen_) {
    has_turned_all = random_.chance(0.5);
    const uint64_t turns = has_turned_all ? 0 : random_.between(1, 8);
    if (has_turned_all) host_->step_all();
    for (uint64_t i = 0; i < turns && host_->state() != Host::State::down; ++i)
      host_->step(random_.next());
  }
  if (host_->state() != Host::State::down) truth_.look(*host_, clock_.now().boot_ns);
  if (host_->state() == Host::State::down && restart_ns_ == INT64_MAX)
    restart_ns_ = clock_.now().boot_ns + static_cast<int64_t>(random_.below(3'000)) * kMillisecond;
  people_->step();
  operators_->step();
  const bool is_still =
      is_frozen_ || host_->state() == Host::State::down || (has_turned_all && host_->is_quiet());
  if (is_still)
    rest();
  else
    clock_.advance(static_cast<int64_t>(random_.between(1, 300)) * 1'000);
}

// Nobody has anything to do: on to the next moment at which somebody has.
void Simulation::rest() {
  const int64_t now_ns = clock_.now().boot_ns;
  int64_t next_ns = std::min({people_->next_ns(), operators_->next_ns(), now_ns + kRestMaxNs});
  if (host_->state() == Host::State::down)
    next_ns = std::min(next_ns, restart_ns_);
  else if (!is_frozen_)
    next_ns = std::min(next_ns, host_->rests_until_ns());
  for (size_t i = 0; i < kFaultCount; ++i)
    next_ns = std::min({next_ns, happens_ns_[i], ends_ns_[i]});
  clock_.advance(std::max<int64_t>(next_ns - now_ns, 1'000));
}

// The node waits in the middle of a step, as a start does for its disk.
void Simulation::pass_time() {
  clock_.advance(50'000);
  host_->step_while_waiting();
}

void Simulation::restart() {
  restart_ns_ = INT64_MAX;
  if (host_->start()) return;
  const int code = host_->exit_code();
  // A start may fail for a disk that is full or fails, and a change of shards waits for the database.
  const bool is_excused = !is_healed_ && code != kExitLogDamaged && !host_->has_bug();
  if (!is_excused && !host_->refusal().empty())
    history_.broken("a sound directory was refused with " + std::to_string(code) + ": " +
                    host_->refusal());
  host_->set_shards(host_->shards());
}

// ---- faults ----

void Simulation::let_faults_happen() {
  const int64_t now_ns = clock_.now().boot_ns;
  for (size_t i = 0; i < kFaultCount; ++i) {
    const auto fault = static_cast<Fault>(i);
    if (now_ns >= ends_ns_[i]) {
      ends_ns_[i] = INT64_MAX;
      end(fault);
    }
    if (now_ns < happens_ns_[i]) continue;
    happens_ns_[i] =
        now_ns + 1 +
        static_cast<int64_t>(fault_random_.below(static_cast<uint64_t>(2 * plan_.every_ns[i])));
    let_happen(fault);
  }
}

void Simulation::let_happen(Fault fault) {
  const int64_t lasts_ns = static_cast<int64_t>(fault_random_.between(10, 10'000)) * kMillisecond;
  const uint64_t draw = fault_random_.next();
  const bool is_running = host_->is_up() && !is_frozen_;
  const auto last = [&] {
    note("begins: " + std::string(name_of(fault)));
    ends_ns_[static_cast<size_t>(fault)] = clock_.now().boot_ns + lasts_ns;
  };
  switch (fault) {
    case Fault::kill:
    case Fault::power_cut:
      if (host_->state() != Host::State::down) host_->kill(fault == Fault::power_cut);
      break;
    case Fault::stop:
      if (is_running) host_->begin_stop();
      break;
    case Fault::reshard:
      host_->set_shards(static_cast<uint32_t>(draw % 4 + 1));
      if (is_running) host_->begin_stop();
      break;
    case Fault::freeze:
      is_frozen_ = true;
      last();
      break;
    case Fault::slow_disk:
      host_->set_disk_polls(static_cast<uint32_t>(draw % 300 + 2));
      last();
      break;
    case Fault::disk_error:
      if (is_running) {
        note("a write will fail");
        host_->machine()
            .disk(static_cast<uint32_t>(draw % host_->machine().disks()))
            .fail_next(EIO);
      }
      break;
    case Fault::disk_full:
      host_->set_disk_full(true);
      last();
      break;
    case Fault::database_away:
      database_.set_away(true);
      last();
      break;
    case Fault::database_unknown:
      database_.set_unknown_chance(0.3);
      last();
      break;
    case Fault::wall_clock: {
      const int64_t by_s = static_cast<int64_t>(draw % 7'200) - 3'600;
      note("the wall clock is set by " + std::to_string(by_s) + " s");
      clock_.step_wall(by_s * kSecond);
      break;
    }
    case Fault::resets:
    case Fault::slow_readers:
    case Fault::pieces:
    case Fault::impatient:
    case Fault::operators:
    case Fault::count:
      break;  // people do these
  }
}

void Simulation::end(Fault fault) {
  if (fault == Fault::freeze) is_frozen_ = false;
  if (fault == Fault::slow_disk) host_->set_disk_polls(1);
  if (fault == Fault::disk_full) host_->set_disk_full(false);
  if (fault == Fault::database_away) database_.set_away(false);
  if (fault == Fault::database_unknown) database_.set_unknown_chance(0);
}

void Simulation::end_faults() {
  for (size_t i = 0; i < kFaultCount; ++i) {
    happens_ns_[i] = ends_ns_[i] = INT64_MAX;
    end(static_cast<Fault>(i));
  }
  for (uint32_t i = 0; host_->state() != Host::State::down && i < host_->machine().disks(); ++i)
    host_->machine().disk(i).fail_next(0);
  is_healed_ = true;
}

}  // namespace stampede::sim
