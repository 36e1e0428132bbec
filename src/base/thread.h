// Starting a thread where the machine may have none left: a limit of processes (ulimit -u, pids.max of a cgroup) ends
// the process with one line, because no part of a server can do without its thread.
#pragma once

#include <system_error>
#include <thread>
#include <utility>

#include "base/check.h"

namespace stampede {

// `purpose` completes "cannot start a thread for …".
template <typename Run>
[[nodiscard]] std::thread start_thread(const char* purpose, Run run) {
  try {
    return std::thread(std::move(run));
  } catch (const std::system_error& error) {
    fatal(kExitFailure,
          "cannot start a thread for %s: %s (is there a limit of processes, ulimit -u?)", purpose,
          error.code().message().c_str());
  }
}

}  // namespace stampede
