// The faults of a plan as they come and go: when each happens next, what it does to the nodes and servers, and when that is over.
#pragma once

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "commands.h"
#include "history.h"
#include "hosts.h"
#include "plan.h"
#include "random.h"
#include "servers.h"

namespace stampede::sim {

class Weather {
 public:
  Weather(const Plan& plan, Servers& servers, Hosts& hosts, History& history, Commands& commands,
          Random random, std::function<void(const std::string&)> note);

  // What is due.
  void pass();
  // The next moment at which something begins or ends, on the boot clock; INT64_MAX: never.
  [[nodiscard]] int64_t next_ns() const;
  // Fair from now on, for ever.
  void clear_up();

  [[nodiscard]] bool is_frozen(uint32_t node) const { return is_frozen_[node]; }
  // Nodes may be at two masters, or streams cannot report, or it was so a moment ago.
  [[nodiscard]] bool is_split();
  // How long a node that has died stays away.
  [[nodiscard]] int64_t draw_absence_ns(Host& host);

 private:
  void begin(Mishap mishap);
  void end(Mishap mishap);
  void end_of_redis(Mishap mishap);
  void bring_redis_back();
  void end_process(Mishap mishap, Host& host);
  void rot(Host& host);
  void bring_old_copy(Host& host);
  void harm_disk(Mishap mishap, Host& host);
  void harm_database(Mishap mishap);
  void harm_redis(Mishap mishap);
  void kill_redis();
  void fail_over();
  void give_command(Mishap mishap, Host& host);
  void harm_registry();
  void lasts(Mishap mishap);
  void may_follow(Mishap mishap, int64_t within_ns);
  [[nodiscard]] bool is_running(const Host& host) const {
    return host.is_up() && !is_frozen_[host.number()];
  }

  const Plan& plan_;
  Servers& servers_;
  Hosts& hosts_;
  History& history_;
  Commands& commands_;
  Random random_;
  std::function<void(const std::string&)> note_;
  std::array<int64_t, kMishapCount> begins_ns_{}, ends_ns_{};
  std::vector<bool> is_frozen_;
  int64_t split_until_ns_ = 0;
};

}  // namespace stampede::sim
