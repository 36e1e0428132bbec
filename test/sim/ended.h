// The end of a simulated process. fatal() leaves by _exit() and a failed CHECK by abort(); the simulator stands in front of
// both, so that they end the one node and not the simulation: they throw through the node's step to the one who turned it.
#pragma once

#include <functional>

namespace stampede::sim {

struct NodeEnded {
  int exit_code = 0;
  bool is_bug = false;  // a CHECK failed
};

// Called when a process ends by itself, before anything of it is taken apart.
void set_on_end(std::function<void()> on_end);

}  // namespace stampede::sim
