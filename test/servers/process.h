// A process that a test started: its end is waited for with a deadline, and it never outlives its
// owner. It dies with the thread that started it too, so that thread must last as long.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace stampede::servers {

using Arguments = std::vector<std::string>;

class Process {
 public:
  // `prepare` runs in the child before exec; it may only make system calls (limits, seccomp).
  Process(const Arguments& command, const std::string& stderr_path,
          const std::function<void()>& prepare = {});
  Process(const Process&) = delete;
  ~Process();  // SIGKILL, if it still runs

  pid_t pid() const { return pid_; }
  bool is_running() { return !wait(std::chrono::milliseconds{0}).has_value(); }
  void signal(int number);
  // The exit code, or 128 + the signal that ended it; nothing if it has not ended in time.
  std::optional<int> wait(std::chrono::milliseconds patience);
  // The next line of standard output (the last may lack its newline); nothing at its end or when
  // none comes in time.
  std::optional<std::string> read_line(std::chrono::milliseconds patience);

 private:
  pid_t pid_ = -1;
  int pidfd_ = -1;
  int stdout_fd_ = -1;
  std::string output_;
  std::optional<int> exit_code_;
};

struct Finished {
  int exit_code = -1;  // −1: it did not end in time and was killed
  std::string out, err;
};

// Runs a command to its end.
Finished run(const Arguments& command,
             std::chrono::milliseconds patience = std::chrono::seconds{60});
bool is_installed(const std::string& command);

}  // namespace stampede::servers
