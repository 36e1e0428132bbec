// One seed from beginning to end: a world with faults, then one without in which everything must come to its end.
//
//   safety    faults come and go; at every step no promise may be broken
//   healing   the node is up, the disk has room, the database answers, operators finish, sales go on
//   progress  every unsure buyer gets his answer, everything is sold and paid, every row is in the database,
//             every order is read again, the node stops in order, and its log says the same as its database
//
// The scheduler turns one part at a time, drawn by the seed, and moves the clock when nobody has anything to do.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "host.h"
#include "journal.h"
#include "operators.h"
#include "people.h"
#include "truth.h"

namespace stampede::sim {

struct Outcome {
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
  Outcome run();

 private:
  void be_safe();
  void heal();
  void make_progress();
  void end_in_order();
  void compare_database();
  bool run_until(const std::function<bool()>& is_done, int64_t patience_ns, const char* what);

  void step();
  void rest();
  void restart();
  void pass_time();
  void let_faults_happen();
  void let_happen(Fault fault);
  void end(Fault fault);
  void end_faults();
  [[nodiscard]] bool is_broken() const;
  [[nodiscard]] int64_t since_start_ns() const;
  void note(const std::string& line) { journal_.note(since_start_ns(), line); }

  const Plan plan_;
  std::string dir_;
  world::FakeClock clock_;
  int64_t began_ns_;
  Random random_, fault_random_;
  Journal journal_;
  History history_;
  Truth truth_;
  Database database_;
  std::unique_ptr<Host> host_;
  std::unique_ptr<People> people_;
  std::unique_ptr<Operators> operators_;
  // By fault: when it happens next, and when what it did is over; INT64_MAX: never.
  std::array<int64_t, kFaultCount> happens_ns_{}, ends_ns_{};
  bool is_frozen_ = false, is_healed_ = false;
  int64_t restart_ns_ = 0;  // when it is down; INT64_MAX: not decided yet
  uint64_t steps_ = 0;
};

}  // namespace stampede::sim
