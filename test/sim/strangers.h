// Strangers: whatever else speaks to a server's ports. They send what is no good HTTP, or no order, ask for pages that few ask for,
// stop in the middle, read slowly, come in crowds and say nothing; at the operators' listener, too. Each answer is the one that the
// table of oddities says, or that there is no room now; whoever has said something whole is answered in time; and whoever says
// nothing is not kept for ever.
#pragma once

#include <deque>
#include <functional>
#include <string>

#include "../world/fake_clock.h"
#include "../world/fake_net.h"
#include "history.h"
#include "hosts.h"
#include "oddities.h"
#include "plan.h"

namespace stampede::sim {

class Strangers {
 public:
  Strangers(const Plan& plan, Hosts& hosts, History& history, world::FakeClock& clock,
            Random random, std::function<void(const std::string&)> note);

  void step();
  [[nodiscard]] int64_t next_ns() const;
  // They hang up, for good.
  void fall_silent();

 private:
  struct Visit {
    world::FakeClient* end = nullptr;
    uint32_t node = 0;
    uint64_t life = 0;  // of the process
    std::string what;
    int status = 0;        // that must come; 0: any
    bool is_whole = true;  // it has said all that it will say, and is owed an answer
    bool is_slow = false;  // it reads a little now and then
    bool is_answered = false;
    int64_t came_ns = 0;
    std::string bytes;  // of the answer, as far as they are there
  };

  void come();
  void come_in_crowd();
  void say_body();
  Visit& begin(bool is_operator);
  void say(Visit& visit, const Oddity& oddity);
  void say_half(Visit& visit);
  void ask_much(Visit& visit);
  [[nodiscard]] std::string written_out(std::string_view text) const;
  // True: it is over.
  [[nodiscard]] bool look(Visit& visit);
  void take_head(Visit& visit);
  void judge(const Visit& visit, int status);
  [[nodiscard]] int64_t now_ns() const { return clock_.now().boot_ns; }

  const Plan& plan_;
  Hosts& hosts_;
  History& history_;
  world::FakeClock& clock_;
  Random random_;
  std::function<void(const std::string&)> note_;
  std::deque<Visit> visits_;
  int64_t comes_ns_ = INT64_MAX;
};

}  // namespace stampede::sim
