// One seed from beginning to end: a world with faults, then one without in which everything must come to its end.
//
//   alone     in some worlds of several nodes: the first sells before it shares its ledger with the others
//   safety    faults come and go; at every step no promise may be broken
//   healing   the nodes are up, disks have room, servers answer, operators finish, sales go on
//   quiet     hours without orders: what nobody pays expires, what nobody wants goes back to the ledger, every row is in the
//             database
//   progress  every unsure buyer gets his answer, everything is sold and paid, every row is in the database,
//             every order is read again, the nodes stop in order, and their logs say the same as the database
//   forgetting  in some worlds, before they stop: the sale is long over, and no order is in memory any more
//
// The scheduler turns one part at a time, drawn by the seed, and moves the clock when nobody has anything to do.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "books.h"
#include "commands.h"
#include "hosts.h"
#include "journal.h"
#include "operators.h"
#include "people.h"
#include "pollers.h"
#include "strangers.h"
#include "truth.h"
#include "weather.h"

namespace stampede::sim {

struct Report {
  std::vector<std::string> broken;  // promises; empty: all were kept
  std::string last_turns;
  uint64_t trace = 0;  // hash of everything that happened
  uint64_t answers = 0, orders = 0, lives = 0, steps = 0;
  int64_t simulated_ns = 0;
};

class Simulation {
 public:
  // `scratch`: an empty directory, in memory.
  Simulation(const Plan& plan, const std::string& scratch, bool prints);
  ~Simulation();
  Report run();

 private:
  void sell_alone();
  void begin_to_share();
  void be_safe();
  void heal();
  void be_quiet();
  void pass_hours(int64_t seconds);
  void forget();
  void make_progress();
  void end_in_order();
  bool run_until(const std::function<bool()>& is_done, int64_t patience_ns, const char* what);

  void step();
  bool turn(Host& host, bool turns_all);
  void rest();
  void restart(Host& host);
  void look_for_delay(Host& host);
  void pass_time(uint32_t node, std::chrono::nanoseconds time);
  [[nodiscard]] bool is_broken() const;
  [[nodiscard]] bool are_all_there() const;  // up, and not frozen
  [[nodiscard]] bool are_all(Host::State state) const;
  [[nodiscard]] int64_t now_ns() { return servers_.clock.now().boot_ns; }
  void note(const std::string& line);

  const Plan plan_;
  Random random_;
  Servers servers_;
  int64_t began_ns_;
  Journal journal_;
  History history_;
  Truth truth_;
  Hosts hosts_;
  std::unique_ptr<Weather> weather_;
  std::unique_ptr<People> people_;
  std::unique_ptr<Strangers> strangers_;
  std::unique_ptr<Pollers> pollers_;
  std::unique_ptr<Operators> operators_;
  std::unique_ptr<Commands> commands_;
  std::vector<int64_t> restart_ns_;  // by node, when it is down; INT64_MAX: not decided yet
  KnownStates sold_;                 // every order at the end of the sale
  bool is_healed_ = false, are_stopping_ = false;
  bool is_one_alone_ = false;  // nobody but people act then
  uint64_t steps_ = 0;
};

}  // namespace stampede::sim
