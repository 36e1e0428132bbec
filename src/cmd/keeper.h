// With --sandbox the process is two, so that another binary can take a running server's place (hand_over.h) although the server may
// start no program:
//
//   keeper                                      server
//   outside the filter; no thread, no key,      within it; threads, keys, connections
//   no socket but the one between them
//   its process is what a supervisor knows:     dies with the keeper
//   signals are sent on, the server's end
//   is its own
//   SIGUSR2: serve --check, by the binary
//   that lies at the path now; then ──────────▶ stops, nothing is closed
//   takes the sockets ◀──────────────────────── sends them, ends
//   becomes the other binary
//
// While the server lives, it cannot make the keeper start a program. It is asked for its sockets; sockets that it sends unasked are
// used only when it has ended. Then the keeper starts the binary that an operator has put at the path, with the arguments of this
// start.
#pragma once

#include <signal.h>

#include "net/passed_sockets.h"

namespace stampede::cmd {

// The keeper, as the server knows it.
class Keeper {
 public:
  // Returns in the server alone; the keeper lives in this call and ends in it. Behind take_signals(), before there is a thread.
  [[nodiscard]] static Keeper split_off(const sigset_t& signals);

  // SIGUSR2 of any other sender means nothing: a supervisor may signal all processes of the service.
  [[nodiscard]] bool has_sent(const siginfo_t& signal) const;
  // The last message of the server.
  [[nodiscard]] Status pass_on(const net::PassedSockets& sockets) const;

 private:
  Keeper(pid_t pid, int channel) : pid_(pid), channel_(channel) {}
  pid_t pid_;
  int channel_;
};

}  // namespace stampede::cmd
