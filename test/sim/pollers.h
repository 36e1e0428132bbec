// Long polls: whoever waits for a change of an order beside its buyer, as his telephone does while his computer pays. Some hang up
// before they are answered, some say that they send nothing more, some ask for something else behind it. What they are shown was
// true of that order between their asking and the answer; a change is told at once, and without one a poll lasts as long as was
// asked for and no longer.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <string>

#include "../world/buyer.h"
#include "../world/fake_clock.h"
#include "history.h"
#include "hosts.h"
#include "plan.h"

namespace stampede::sim {

// What a reader may be shown of an order: nothing older than it was when he asked, nothing that has not happened. nullopt: not
// known. Empty: it may be; otherwise why not.
[[nodiscard]] std::string why_not_between(const std::optional<KnownState>& at_asking,
                                          const KnownState& shown,
                                          const std::optional<KnownState>& at_answer);

class Pollers {
 public:
  Pollers(const Plan& plan, Hosts& hosts, History& history, world::FakeClock& clock, Random random,
          std::function<void(const std::string&)> note);

  void step();
  [[nodiscard]] int64_t next_ns() const;
  // Nobody polls any more; who waits hangs up.
  void fall_silent();

 private:
  struct Poll {
    world::Buyer line;
    uint32_t node = 0;
    uint64_t life = 0;  // of the process
    std::string order;
    int64_t wait_ns = 0, asked_ns = 0;
    int64_t leaves_ns = INT64_MAX;   // he hangs up
    int64_t changed_ns = INT64_MAX;  // seen to have changed since he asked
    bool is_hurried = false;  // it may end before its time: something else was asked behind it
    std::optional<KnownState> before;  // when he asked
  };

  void begin();
  [[nodiscard]] std::optional<std::string> pick_order(uint32_t node);
  // True: it is over.
  [[nodiscard]] bool look(Poll& poll);
  void judge(Poll& poll, const world::Answer& answer);
  void judge_times(const Poll& poll, bool is_changed);
  [[nodiscard]] int64_t now_ns() const { return clock_.now().boot_ns; }

  const Plan& plan_;
  Hosts& hosts_;
  History& history_;
  world::FakeClock& clock_;
  Random random_;
  std::function<void(const std::string&)> note_;
  std::deque<Poll> polls_;
  int64_t comes_ns_ = INT64_MAX;
};

}  // namespace stampede::sim
