// Another binary takes a running server's place (SIGUSR2), and no client is refused or reset:
//
//   this binary                                       the one that lies at its path now
//   serve --check, by the other one, while it sells ─▶ ok
//   stops: decided orders are answered, nothing is read any more
//   listeners and connections stay open over execve ─▶ the same process, started with the same arguments
//                                                      the log is read, connections go on where they were
//
// Clients wait in the kernel's queues meanwhile. A check that fails leaves everything as it is. From execve(2) on it is a start
// like any other: one that is refused ends the process. A server in a sandbox may run neither the check nor execve(2); its keeper
// runs them (keeper.h).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "net/passed_sockets.h"

namespace stampede::cmd {

// The sockets that the server before this one has left; none, if there was no such server. Once.
[[nodiscard]] Result<net::PassedSockets> take_sockets_of_predecessor();
// In a process that leaves those sockets to another.
void forget_predecessor();

// A server that would pass its listeners on has started this check.
[[nodiscard]] bool is_check_of_heir();

// Logs that the other binary does not take over.
void log_refusal(const Error& why);

class HandOver {
 public:
  // Remembers the name and the arguments of this start: later a new binary lies there, or behind a link in it.
  HandOver();
  ~HandOver();
  HandOver(const HandOver&) = delete;

  // Asks the binary whether it would start; nothing happens when it is being asked already.
  [[nodiscard]] Status begin_check();
  [[nodiscard]] bool is_checking() const { return child_ > 0; }
  // While it is asked, some times a second: `go_on` when it would start; an Error is its complaint, and it is over.
  enum class Answer : uint8_t { none, go_on };
  [[nodiscard]] Result<Answer> look();

  // The process is the other binary's now. Returns only when that fails.
  [[nodiscard]] Error leave_to_it(const net::PassedSockets& sockets);

 private:
  std::string complaint() const;
  void end_check();

  std::string binary_;
  std::vector<std::string> arguments_;
  pid_t child_ = 0;
  int output_ = -1;         // a file in memory: the check's output
  int64_t give_up_ns_ = 0;  // boot clock
};

}  // namespace stampede::cmd
