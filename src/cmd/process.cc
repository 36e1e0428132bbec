#include "cmd/process.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "base/check.h"
#include "bounds.h"
#include "net/descriptor_budget.h"

namespace stampede::cmd {
namespace {

// Makes only calls that are safe in a handler (signal-safety(7)).
void end_by_bus_error(int) {
  constexpr std::string_view line =
      "stampede: fatal: SIGBUS: a mapped file cannot be read or written (an I/O error, or a full "
      "disk, under the "
      "database's files?)\n";
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
  _exit(kExitFailure);
}

void handle(int number, void (*handler)(int)) {
  struct sigaction action = {};
  action.sa_handler = handler;
  CHECK(sigaction(number, &action, nullptr) == 0);
}

}  // namespace

void fill_standard_descriptors() {
  for (int number = STDIN_FILENO; number <= STDERR_FILENO; ++number) {
    if (::fcntl(number, F_GETFD) >= 0) continue;
    if (::open("/dev/null", O_RDWR) != number)
      _exit(kExitFailure);  // no line about it would be read
  }
}

uint64_t raise_descriptor_limit() {
  rlimit limit;
  CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  const rlim_t soft = limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max;
  return setrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_max : soft;
}

Result<uint32_t> connections_within(uint64_t descriptors, uint32_t shards, bool has_redis,
                                    uint32_t wanted) {
  const uint64_t per_shard =
      net::descriptors_per_shard + (has_redis ? net::descriptors_per_shard_of_redis : 0);
  const uint64_t kept = net::descriptors_own + shards * per_shard + net::operator_connections;
  const uint64_t left = descriptors > kept ? descriptors - kept : 0;
  const std::string limit = "the limit of descriptors (ulimit -n) is " +
                            std::to_string(descriptors) + ", of which the server keeps " +
                            std::to_string(kept) + " for itself";
  if (left < net::connections_min)
    return Error{"--connections: " + limit + "; expected at least " +
                 std::to_string(kept + net::connections_min)};
  if (wanted > left)
    return Error{"--connections " + std::to_string(wanted) + ": " + limit + "; expected at most " +
                 std::to_string(left)};
  const uint64_t held = uint64_t{shards} * bounds::connections_max;
  if (wanted > held)
    return Error{"--connections " + std::to_string(wanted) + ": the tables of --shards " +
                 std::to_string(shards) + " have room for " + std::to_string(held)};
  return static_cast<uint32_t>(std::min(left, held));
}

sigset_t take_signals() {
  for (const int number : {SIGPIPE, SIGXFSZ}) handle(number, SIG_IGN);
  handle(SIGBUS, end_by_bus_error);
  handle(SIGCHLD, SIG_DFL);
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2}) sigaddset(&signals, number);
  CHECK(pthread_sigmask(SIG_BLOCK, &signals, nullptr) == 0);
  return signals;
}

std::optional<int> end_of(pid_t child) {
  int status = 0;
  const pid_t ended = ::waitpid(child, &status, WNOHANG);
  if (ended == 0) return std::nullopt;
  return ended == child ? status : W_EXITCODE(kExitFailure, 0);
}

}  // namespace stampede::cmd
