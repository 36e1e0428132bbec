// The keeper of a server in a sandbox, in children: a child is the keeper, and what it splits off the server.
#include "cmd/keeper.h"

#include <doctest/doctest.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <string>

#include "base/check.h"
#include "cmd/process.h"

namespace stampede::cmd {
namespace {

constexpr uid_t kNobody = 65534;
constexpr int kPatienceS = 20;  // a keeper or a server that has not ended by then never would

// Its server does this and ends with the result.
pid_t start_keeper(const std::function<int(const Keeper&, const sigset_t&)>& act) {
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child > 0) return child;
  alarm(kPatienceS);
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
  // Of root's processes /proc does not show whether others may look into them.
  if (getuid() == 0 && setresuid(kNobody, kNobody, kNobody) != 0) _exit(kExitFailure);
  prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
  const sigset_t signals = take_signals();
  const Keeper keeper = Keeper::split_off(signals);
  alarm(kPatienceS);  // of the server
  _exit(act(keeper, signals));
}

int status_of(pid_t child) {
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  return status;
}

// Of number 0 when none comes in time.
siginfo_t next_signal(const sigset_t& signals) {
  const timespec patience{.tv_sec = 10, .tv_nsec = 0};
  siginfo_t info{};
  if (sigtimedwait(&signals, &info, &patience) < 0) info.si_signo = 0;
  return info;
}

// The end of a pipe has come when nobody has the other end any more.
struct Pipe {
  int ends[2] = {-1, -1};
  Pipe() { REQUIRE(pipe(ends) == 0); }
  ~Pipe() { close(ends[0]); }
  Pipe(const Pipe&) = delete;
  void keep_reading_end() { close(ends[1]); }
  bool has_ended() const {
    char byte = 0;
    return read(ends[0], &byte, 1) == 0;
  }
  void tell(char byte) const { CHECK(write(ends[1], &byte, 1) == 1); }
  char hear() const {
    char byte = 0;
    CHECK(read(ends[0], &byte, 1) == 1);
    return byte;
  }
};

TEST_SUITE("cmd/keeper") {
  TEST_CASE("a keeper ends as its server does") {
    for (const int code : {kExitOk, kExitUsage, kExitDirInUse, kExitLogDamaged}) {
      const int status = status_of(start_keeper([=](auto&, auto&) { return code; }));
      CHECK(WIFEXITED(status));
      CHECK(WEXITSTATUS(status) == code);
    }
    for (const int signal : {SIGKILL, SIGABRT, SIGSEGV}) {
      const int status = status_of(start_keeper([=](auto&, auto&) {
        ::signal(signal, SIG_DFL);
        return raise(signal);
      }));
      CHECK(WIFSIGNALED(status));
      CHECK(WTERMSIG(status) == signal);
    }
  }

  TEST_CASE("a keeper whose parent ignores the ends of its children ends with its server") {
    ::signal(SIGCHLD, SIG_IGN);
    const pid_t keeper = start_keeper([](auto&, auto&) { return kExitDirInUse; });
    ::signal(SIGCHLD, SIG_DFL);
    const int status = status_of(keeper);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == kExitDirInUse);
  }

  TEST_CASE("signals to the keeper are the server's and it knows whose they are") {
    const int status = status_of(start_keeper([](const Keeper& keeper, const sigset_t& signals) {
      for (const int number : {SIGHUP, SIGUSR1, SIGTERM}) {
        kill(getppid(), number);
        const siginfo_t info = next_signal(signals);
        if (info.si_signo != number || !keeper.has_sent(info)) return 1;
      }
      kill(getpid(), SIGUSR2);
      const siginfo_t info = next_signal(signals);
      return info.si_signo == SIGUSR2 && !keeper.has_sent(info) ? 0 : 2;
    }));
    CHECK(status == 0);
  }

  TEST_CASE("a keeper that is killed takes its server with it") {
    Pipe pipe;
    const pid_t keeper = start_keeper([&](auto&, auto&) {
      pipe.tell('r');
      for (;;) pause();
      return 0;
    });
    pipe.keep_reading_end();
    CHECK(pipe.hear() == 'r');
    kill(keeper, SIGKILL);
    CHECK(WTERMSIG(status_of(keeper)) == SIGKILL);
    CHECK(pipe.has_ended());
  }

  TEST_CASE("a keeper holds no descriptor of its server open") {
    Pipe pipe, go_on;
    const pid_t keeper = start_keeper([&](auto&, auto&) {
      close(pipe.ends[1]);
      return go_on.hear();
    });
    pipe.keep_reading_end();
    CHECK(pipe.has_ended());
    go_on.tell(0);
    CHECK(status_of(keeper) == 0);
    close(go_on.ends[1]);
  }

  TEST_CASE("a server cannot look into its keeper whether it may leave a core or not") {
    const int status = status_of(start_keeper([](auto&, auto&) {
      const std::string keeper = "/proc/" + std::to_string(getppid()) + "/mem";
      struct stat found {};
      // A process that nobody but root may look into belongs to root there.
      return stat(keeper.c_str(), &found) == 0 && found.st_uid == 0 ? 0 : 1;
    }));
    CHECK(status == 0);
  }
}

}  // namespace
}  // namespace stampede::cmd
