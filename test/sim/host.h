// A node's life: started, turned, killed, started again, on one data directory. Whatever ends it, by its own will or not, ends
// here; what the end means for the disk is played before it is started again.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "journal.h"
#include "machine.h"
#include "node/node.h"
#include "plan.h"

namespace stampede::sim {

// An order as a node has it.
struct KnownState {
  std::string state;
  uint32_t quantity = 0;
  int64_t refund_due = 0;
  friend bool operator==(const KnownState&, const KnownState&) = default;
};

class Host {
 public:
  enum class State : uint8_t { down, running, stopping };
  // What the world gives to each.
  struct Surroundings {
    Servers& servers;
    std::function<void(std::chrono::nanoseconds)> pass_time;
    std::function<void(const std::string&)> note;
  };

  // `root`: an empty directory; its machine's.
  Host(const Plan& plan, uint32_t number, const std::string& root, Surroundings around,
       Random random);
  ~Host();

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] bool is_up() const { return state_ == State::running; }
  // Of the node.
  [[nodiscard]] uint32_t number() const { return number_; }
  [[nodiscard]] std::string dir() const { return files_.root() + "/data"; }
  [[nodiscard]] uint32_t shards() const { return shards_; }
  [[nodiscard]] node::Node& node() { return *node_; }
  [[nodiscard]] SimMachine& machine() { return *machines_.back(); }
  [[nodiscard]] const SimMachine& machine() const { return *machines_.back(); }
  // Times that it was started, to tell the connections of one process from those of the next.
  [[nodiscard]] uint64_t life() const { return life_; }
  // Why it refused to start; empty: it did not.
  [[nodiscard]] const std::string& refusal() const { return refusal_; }
  [[nodiscard]] int exit_code() const { return exit_code_; }
  // What only a bug can do, as a sentence; empty: nothing.
  [[nodiscard]] const std::string& bug() const { return bug_; }
  [[nodiscard]] bool has_bug() const { return !bug_.empty(); }

  // Its file, beside the machine's directory; there is none without one in the plan.
  [[nodiscard]] std::string access_log() const;

  // The number of shards at the next start.
  void set_shards(uint32_t shards) { next_shards_ = shards; }
  [[nodiscard]] MachineFiles& files() { return files_; }

  // Whether its next start has a ledger of its own, though the plan has one that is shared.
  void set_alone(bool is_alone) { is_alone_ = is_alone; }

  // False: it refuses, or died on the way.
  bool start();
  // Although its log has lost records. So does every later start until one has gone through, and that one calls `on_accepted`; unless
  // this one is refused before it has written anything.
  bool start_with_loss(std::function<void()> on_accepted);
  [[nodiscard]] bool awaits_loss() const { return on_accepted_ != nullptr; }
  // What a start has accepted lies in its log for good.
  void note_loss() { has_lost_ = true; }
  [[nodiscard]] bool has_lost() const { return has_lost_; }
  // One step of a part of it that the number chooses; the end of an orderly stop is in it.
  void step(uint64_t choice);
  // Each part once.
  void step_all();
  // What goes on beside a step that waits.
  void step_while_waiting();
  // Each part has been turned, and found nothing.
  [[nodiscard]] bool is_quiet() const;
  // From now on there are places for all clients.
  void lift_places();
  void begin_stop();
  void kill(bool is_power);
  // It cannot do anything at this moment that waits for its disk, or nothing at all.
  void note_held_up() { held_up_ns_ = around_.servers.clock.now().boot_ns; }
  [[nodiscard]] int64_t held_up_ns() const { return held_up_ns_; }
  // How long it stays away when it is down next, at least.
  void set_absence_ns(int64_t ns) { absence_ns_ = ns; }
  [[nodiscard]] int64_t take_absence_ns() { return std::exchange(absence_ns_, 0); }

  // It is down, and nobody will start it any more: its operator means to reclaim what it held.
  void leave() { is_leaving_ = true; }
  [[nodiscard]] bool is_leaving() const { return is_leaving_; }
  // One attempt. An Error: why it is not done.
  [[nodiscard]] Status reclaim(cluster::ScriptCaller& redis, cluster::Registry& registry);
  // It has been reclaimed; its orders are what its log says.
  void note_left(std::map<uint64_t, KnownState> orders);
  [[nodiscard]] bool has_left() const { return left_orders_.has_value(); }
  [[nodiscard]] const std::map<uint64_t, KnownState>& left_orders() const { return *left_orders_; }

  // While it is there: units that its shards have leased and not sold, and those that are reserved.
  [[nodiscard]] uint64_t pooled_units();
  [[nodiscard]] uint64_t reserved_units();
  // Likewise: long polls that its shards keep a place for.
  [[nodiscard]] uint64_t polls();
  // Of an order as it has it in memory at this moment, durable or not; nullopt: it does not know it.
  [[nodiscard]] std::optional<KnownState> state_of(uint64_t order);
  // Nothing of it is to be done before this moment, on the boot clock.
  [[nodiscard]] int64_t rests_until_ns() const;

 private:
  void make_machine();
  void turn(uint32_t shard);
  void help(uint64_t choice);
  void step_ledger();
  void read_again();
  bool guarded(const char* what, const std::function<void()>& step);
  void finish();
  void drop(bool is_silent);
  node::NodeSettings settings() const;

  const Plan& plan_;
  const uint32_t number_;
  MachineFiles& files_;
  Surroundings around_;
  Random random_;
  uint32_t shards_, next_shards_;
  State state_ = State::down;
  uint64_t life_ = 0;
  uint64_t boots_ = 1;                 // of the machine
  size_t places_;                      // sockets of a shard
  int64_t booted_ns_ = 0;              // the last time, on the world's clock
  std::function<void()> on_accepted_;  // null: it has no loss to accept
  bool is_open_ = false;
  uint32_t waits_ = 0;  // of this life
  int64_t absence_ns_ = 0, held_up_ns_ = 0;
  bool is_leaving_ = false, has_lost_ = false, is_alone_ = false;
  std::optional<std::map<uint64_t, KnownState>> left_orders_;
  std::string refusal_;
  int exit_code_ = 0;
  std::string bug_;
  int64_t stop_began_ns_ = 0;
  int64_t ledger_due_ns_ = 0;  // the coordinator's next step
  bool wants_reload_ = false;
  std::vector<std::unique_ptr<SimMachine>> machines_;  // the last one is this life's
  std::unique_ptr<node::Node> node_;
  std::vector<bool> has_left_;  // by shard
};

}  // namespace stampede::sim
