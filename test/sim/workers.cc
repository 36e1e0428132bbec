#include "workers.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <type_traits>

#include "base/check.h"
#include "real_calls.h"

namespace stampede::sim {

// One write to a pipe, which is not taken apart.
static_assert(std::is_trivially_copyable_v<SeedOutcome>);

Workers::Workers(std::vector<uint64_t> seeds, MishapSet allowed, uint32_t count)
    : seeds_(std::move(seeds)), allowed_(allowed), scratch_(memory_directory()) {
  for (uint32_t i = 0; i < count; ++i) start(i, count);
}

Workers::~Workers() {
  for (const Worker& worker : workers_) {
    ::kill(worker.process, SIGKILL);
    ::waitpid(worker.process, nullptr, 0);
    ::close(worker.outcomes);
  }
}

void Workers::start(uint32_t number, uint32_t count) {
  int ends[2];
  CHECK(::pipe2(ends, O_CLOEXEC) == 0);
  const pid_t parent = ::getpid();
  const pid_t process = ::fork();
  CHECK(process >= 0);
  if (process == 0) {
    // Nobody is left behind.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) __real__exit(1);
    ::close(ends[0]);
    work(number, count, ends[1]);
    __real__exit(0);
  }
  ::close(ends[1]);
  workers_.push_back({.process = process, .outcomes = ends[0]});
}

void Workers::work(uint32_t number, uint32_t count, int to) const {
  const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  CHECK(nowhere >= 0);
  CHECK(::dup2(nowhere, STDERR_FILENO) >= 0);
  for (size_t i = number; i < seeds_.size(); i += count) {
    const SeedOutcome outcome = try_seed(seeds_[i], allowed_, scratch_.path());
    if (::write(to, &outcome, sizeof outcome) != sizeof outcome) return;
  }
}

std::optional<SeedOutcome> Workers::next() {
  SeedOutcome outcome;
  const Worker& worker = workers_[read_++ % workers_.size()];
  if (::read(worker.outcomes, &outcome, sizeof outcome) != sizeof outcome) return std::nullopt;
  return outcome;
}

}  // namespace stampede::sim
