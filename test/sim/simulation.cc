#include "simulation.h"

#include <algorithm>
#include <filesystem>

namespace stampede::sim {
namespace {

constexpr int64_t kHealingNs = 180 * kSecond;
constexpr int64_t kReadingNs = 60 * kSecond;
constexpr int64_t kReadingOneNs = 200 * kMillisecond;
constexpr int64_t kStoppingNs = 15 * kSecond;
constexpr int64_t kAwakeNs = kSecond;        // between two jumps of the quiet hours
constexpr int64_t kForgettingS = 4 * 3'600;  // retention, and an hour more by two clocks
constexpr int64_t kJumpMaxS = 1'200;
constexpr int64_t kWriteNs = 100 * kMillisecond;  // that is slow
constexpr int64_t kRestMaxNs = kSecond;
constexpr int64_t kLaterNs = INT64_MAX - 1;  // of a start: not before somebody says so
// A phase that takes more rounds than this spins.
constexpr uint64_t kRoundsMax = 1'000'000;

}  // namespace

Simulation::Simulation(const Plan& plan, const std::string& scratch, bool prints)
    : plan_(plan),
      random_(Random(plan.seed).next()),
      servers_(plan_, scratch, random_),
      began_ns_(servers_.clock.now().boot_ns),
      truth_(plan_, servers_, history_),
      restart_ns_(plan.nodes, 0) {
  journal_.print_all(prints);
  const auto note_line = [this](const std::string& line) { note(line); };
  for (uint32_t i = 0; i < plan_.nodes; ++i) {
    const std::string name = plan_.nodes == 1 ? "" : "node " + std::to_string(i) + ": ";
    const std::string root = scratch + "/node" + std::to_string(i);
    std::filesystem::create_directory(root);
    hosts_.push_back(std::make_unique<Host>(
        plan_, i, root,
        Host::Surroundings{
            .servers = servers_,
            .pass_time = [this, i](std::chrono::nanoseconds time) { pass_time(i, time); },
            .note = [this, name](const std::string& line) { note(name + line); }},
        random_.fork()));
  }
  people_ = std::make_unique<People>(plan_, hosts_, history_, truth_, servers_.clock,
                                     random_.fork(), note_line);
  strangers_ = std::make_unique<Strangers>(plan_, hosts_, history_, servers_.clock, random_.fork(),
                                           note_line);
  operators_ = std::make_unique<Operators>(plan_, servers_, hosts_, history_, truth_,
                                           random_.fork(), note_line);
  commands_ = std::make_unique<Commands>(plan_, servers_, hosts_, history_, truth_, *operators_,
                                         random_.fork(), note_line);
  weather_ = std::make_unique<Weather>(plan_, servers_, hosts_, history_, *commands_,
                                       random_.fork(), note_line);
  pollers_ =
      std::make_unique<Pollers>(plan_, hosts_, history_, servers_.clock, random_.fork(), note_line);
}

Simulation::~Simulation() = default;

void Simulation::note(const std::string& line) {
  journal_.note(now_ns() - began_ns_, line);
}

bool Simulation::is_broken() const {
  return !history_.broken_promises().empty() ||
         std::ranges::any_of(hosts_, [](const auto& host) { return host->has_bug(); });
}

bool Simulation::are_all(Host::State state) const {
  return std::ranges::all_of(
      hosts_, [&](const auto& host) { return host->has_left() || host->state() == state; });
}

bool Simulation::are_all_there() const {
  return are_all(Host::State::running) && std::ranges::none_of(hosts_, [&](const auto& host) {
           return !host->has_left() && weather_->is_frozen(host->number());
         });
}

Report Simulation::run() {
  if (plan_.alone_s != 0) sell_alone();
  if (!is_broken()) be_safe();
  if (!is_broken()) heal();
  if (!is_broken()) be_quiet();
  if (!is_broken()) make_progress();
  if (!is_broken()) end_in_order();
  Report outcome{.broken = history_.broken_promises(),
                 .last_turns = journal_.tail(),
                 .trace = journal_.hash(),
                 .answers = people_->answers(),
                 .orders = history_.orders().size(),
                 .lives = 0,
                 .steps = steps_,
                 .simulated_ns = now_ns() - began_ns_};
  for (const auto& host : hosts_) {
    outcome.lives += host->life();
    if (host->has_bug()) outcome.broken.push_back(host->bug());
  }
  return outcome;
}

// ---- phases ----

// One sells with a ledger of its own, and ends in some way.
void Simulation::sell_alone() {
  note("one alone");
  is_one_alone_ = true;
  std::fill(restart_ns_.begin() + 1, restart_ns_.end(), kLaterNs);
  Host& host = *hosts_[0];
  host.set_alone(true);
  const int64_t end_ns = now_ns() + plan_.alone_s * kSecond;
  while (now_ns() < end_ns && !is_broken()) step();
  if (host.is_up()) {
    if (random_.chance(0.5))
      host.begin_stop();
    else
      host.kill(random_.chance(0.5));
  }
  restart_ns_[0] = kLaterNs;
  if (!run_until([&] { return host.state() == Host::State::down; }, kStoppingNs,
                 "the node does not stop"))
    return;
  host.set_alone(false);
  begin_to_share();
}

// Its operator has it say what it brings before the others are told of the items. How far it gets is another matter: they may begin
// the first epoch.
void Simulation::begin_to_share() {
  note("sharing");
  restart_ns_[0] = now_ns();
  const auto has_brought = [this] {
    return servers_.registry.rows.members.contains(0) || hosts_[0]->is_up();
  };
  run_until(has_brought, kHealingNs, "the node that has sold alone does not share");
  for (auto restart_ns = restart_ns_.begin() + 1; restart_ns != restart_ns_.end(); ++restart_ns)
    *restart_ns = now_ns() + static_cast<int64_t>(random_.between(0, 2'000)) * kMillisecond;
  is_one_alone_ = false;
}

void Simulation::be_safe() {
  const int64_t end_ns = now_ns() + plan_.safety_s * kSecond;
  while (now_ns() < end_ns && !is_broken()) {
    weather_->pass();
    step();
  }
}

void Simulation::heal() {
  note("healing");
  weather_->clear_up();
  strangers_->fall_silent();
  for (const auto& host : hosts_) host->lift_places();
  is_healed_ = true;
  for (int64_t& restart_ns : restart_ns_) restart_ns = std::min(restart_ns, now_ns());
  operators_->close_sale();
  commands_->close();
  run_until(
      [this] {
        return commands_->has_finished() && are_all(Host::State::running) &&
               operators_->has_closed();
      },
      kHealingNs, "the operators do not finish");
  for (uint32_t i = 0; i < plan_.items && !is_broken() && operators_->knows_supply(); ++i)
    if (operators_->supplied(i) != static_cast<int64_t>(truth_.supplied(i)))
      history_.broken("the restocks add up to " + std::to_string(operators_->supplied(i)) +
                      ", and there are " + std::to_string(truth_.supplied(i)) + " units");
}

// The clock jumps by minutes, past whatever the nodes mean to be woken for, as it does for a machine that stood still; between two
// jumps they are turned for a while.
void Simulation::be_quiet() {
  note("quiet");
  people_->fall_silent();
  pollers_->fall_silent();
  pass_hours(plan_.quiet_s);
  const auto has_nothing_left = [this](const auto& host) {
    if (host->has_left()) return true;
    drain::Drainer* const drainer = host->node().drainer();
    return host->reserved_units() == 0 && host->pooled_units() == 0 && host->polls() == 0 &&
           (drainer == nullptr || drainer->is_drained());
  };
  run_until(
      [&] { return std::ranges::all_of(hosts_, has_nothing_left); }, kHealingNs,
      "after hours of quiet units are reserved or leased, polls have places, or rows are missing");
}

void Simulation::pass_hours(int64_t seconds) {
  // A jump would make of it a disk that does not write for minutes, and nodes do not live through that.
  const auto is_writing = [this] {
    return std::ranges::any_of(hosts_,
                               [](const auto& host) { return host->files().due_ns().has_value(); });
  };
  const int64_t end_ns = now_ns() + seconds * kSecond;
  while (now_ns() < end_ns && !is_broken()) {
    const int64_t awake_ns = now_ns() + kAwakeNs;
    while ((now_ns() < awake_ns || is_writing()) && !is_broken()) step();
    servers_.clock.advance(static_cast<int64_t>(random_.between(1, kJumpMaxS)) * kSecond);
  }
}

// Long behind the sale memory has no orders any more; the database has each that is gone, and none is gone while it is away. What
// is forgotten is not sold again.
void Simulation::forget() {
  operators_->end_sale(kForgettingS * kSecond);
  if (!run_until([this] { return operators_->has_ended(); }, kHealingNs, "the sale is not ended"))
    return;
  note("forgetting, without the database");
  pass_hours(kForgettingS);
  servers_.database.set_away(false);
  check_forgotten(hosts_, servers_, sold_, history_);
  if (is_broken()) return;
  note("forgetting");
  pass_hours(kForgettingS);
  const auto remembers_nothing = [](const auto& host) {
    KnownStates known;
    if (!host->has_left()) add_orders(*host, known);
    return known.empty();
  };
  if (!run_until([&] { return std::ranges::all_of(hosts_, remembers_nothing); }, kHealingNs,
                 "orders are not forgotten"))
    return;
  operators_->sell_forgotten();
  run_until([this] { return operators_->has_tried_all(); }, kHealingNs,
            "nodes do not say whether they sell again what they have forgotten");
}

void Simulation::make_progress() {
  note("progress");
  if (plan_.forgets) servers_.database.set_away(true);
  people_->close_sale();
  if (!run_until([this] { return people_->has_closed(); }, (2 * plan_.pay_window_s + 300) * kSecond,
                 "the sale does not end"))
    return;
  people_->read_all();
  const auto orders = static_cast<int64_t>(history_.orders().size());
  if (!run_until([this] { return people_->has_read_all(); }, kReadingNs + orders * kReadingOneNs,
                 "orders are not read"))
    return;
  sold_ = states_in_memory(hosts_);
  if (plan_.forgets) forget();
  if (!plan_.has_database || is_broken()) return;
  const auto is_drained = [](const auto& host) {
    return host->has_left() || host->node().drainer()->is_drained();
  };
  run_until([&] { return std::ranges::all_of(hosts_, is_drained); }, kHealingNs,
            "the database does not get everything");
}

void Simulation::end_in_order() {
  note("the end");
  const KnownStates known = states_in_memory(hosts_);
  if (plan_.has_database) compare_database(servers_, sold_, history_);
  are_stopping_ = true;
  for (const auto& host : hosts_)
    if (!host->has_left()) host->begin_stop();
  if (!run_until([this] { return are_all(Host::State::down); }, kStoppingNs,
                 "the nodes do not stop"))
    return;
  compare_logs(hosts_, known, history_, plan_.forgets);
  verify_logs(hosts_, history_);
  for (const auto& host : hosts_) check_access_log(*host, history_);
}

bool Simulation::run_until(const std::function<bool()>& is_done, int64_t patience_ns,
                           const char* what) {
  const int64_t end_ns = now_ns() + patience_ns;
  const uint64_t last_step = steps_ + kRoundsMax;
  while (!is_done() && !is_broken()) {
    if (now_ns() > end_ns || steps_ > last_step) {
      history_.broken(std::string("no progress: ") + what + "; " + people_->open_wishes());
      break;
    }
    step();
  }
  return !is_broken();
}

// ---- the scheduler ----

// A round: messages arrive, some parts of each node are turned, then people act.
void Simulation::step() {
  ++steps_;
  if (plan_.is_shared) servers_.redis.deliver();
  // Each part once, or some of them in any order.
  const bool turns_all = random_.chance(0.7);
  bool is_still = true;
  for (const auto& host : hosts_) is_still &= turn(*host, turns_all);
  if (plan_.is_shared && (!are_all_there() || weather_->is_split())) truth_.note_absence();
  people_->step();
  pollers_->step();
  if (!is_one_alone_) {
    strangers_->step();
    operators_->step();
    commands_->step();
  }
  if (is_still)
    rest();
  else
    servers_.clock.advance(static_cast<int64_t>(random_.between(1, 300)) * 1'000);
}

// True: the node has nothing to do now.
bool Simulation::turn(Host& host, bool turns_all) {
  if (host.is_leaving()) return true;
  int64_t& restart_ns = restart_ns_[host.number()];
  if (host.state() == Host::State::down) {
    if (restart_ns == INT64_MAX)
      restart_ns = now_ns() + (is_healed_ ? 0 : weather_->draw_absence_ns(host));
    if (now_ns() < restart_ns || are_stopping_) return true;
    restart_ns = INT64_MAX;
    restart(host);
    return false;
  }
  look_for_delay(host);
  host.files().settle_writes();
  // As it has been until now; what is said in a turn may be true of the moment before it.
  truth_.look(host);
  if (weather_->is_frozen(host.number())) return true;
  if (turns_all) host.step_all();
  for (uint64_t i = turns_all ? 0 : random_.between(1, 8);
       i > 0 && host.state() != Host::State::down; --i)
    host.step(random_.next());
  if (host.state() != Host::State::down) truth_.look(host);
  return turns_all && host.is_quiet();
}

// Whoever waits for it is not to blame it.
void Simulation::look_for_delay(Host& host) {
  const bool is_writing = host.files().due_ns().value_or(0) > now_ns() + kWriteNs;
  if (weather_->is_frozen(host.number()) || host.files().has_faults() || is_writing)
    host.note_held_up();
}

void Simulation::restart(Host& host) {
  if (host.start()) return truth_.look(host);
  // A start may fail for a disk that is full or cannot be read, and a change of shards waits for the database.
  const bool is_damage = host.exit_code() == kExitLogDamaged && !plan_.has(Mishap::disk_error);
  const bool is_excused = !is_healed_ && !is_damage && !host.has_bug();
  if (!is_excused && !host.refusal().empty())
    history_.broken("a sound directory was refused with " + std::to_string(host.exit_code()) +
                    ": " + host.refusal());
  host.set_shards(host.shards());
}

// Nobody has anything to do: on to the next moment at which somebody has.
void Simulation::rest() {
  int64_t next_ns = std::min({people_->next_ns(), pollers_->next_ns(), now_ns() + kRestMaxNs});
  if (!is_one_alone_)
    next_ns = std::min({next_ns, strangers_->next_ns(), operators_->next_ns(), commands_->next_ns(),
                        weather_->next_ns()});
  if (plan_.is_shared) next_ns = std::min(next_ns, servers_.redis.next_due_ns());
  for (const auto& host : hosts_) {
    if (host->is_leaving()) continue;
    if (host->state() == Host::State::down)
      next_ns = std::min(next_ns, restart_ns_[host->number()]);
    else if (!weather_->is_frozen(host->number()))
      next_ns = std::min(next_ns, host->rests_until_ns());
  }
  servers_.clock.advance(std::max<int64_t>(next_ns - now_ns(), 1'000));
}

// A node waits in the middle of a step, as a start does for its disk.
void Simulation::pass_time(uint32_t node, std::chrono::nanoseconds time) {
  const int64_t due_ns = hosts_[node]->files().due_ns().value_or(0);
  servers_.clock.advance(std::max<int64_t>(due_ns - now_ns(), time.count()));
  // The others stand still meanwhile.
  for (const auto& host : hosts_) host->note_held_up();
  hosts_[node]->step_while_waiting();
}

}  // namespace stampede::sim
