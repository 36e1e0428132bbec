// What the process gives up, tried in children: nothing takes it back.
#include "cmd/hardening.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <thread>

namespace stampede::cmd {
namespace {

// The status of a child that does this and ends with its result.
int status_of(const std::function<int()>& act) {
  const pid_t child = fork();
  if (child == 0) {
    const rlimit none{0, 0};
    setrlimit(RLIMIT_CORE, &none);
    _exit(act());
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  return status;
}

// What it ends with within the sandbox.
int sandboxed(const std::function<int()>& act) {
  return status_of([&] { return enter_sandbox() ? act() : 99; });
}

TEST_SUITE("cmd/hardening") {
  TEST_CASE("without core dumps no other process of the user may look into the memory") {
    const int status = status_of([] {
      forbid_core_dumps();
      rlimit core;
      getrlimit(RLIMIT_CORE, &core);
      return prctl(PR_GET_DUMPABLE) == 0 && core.rlim_max == 0 ? 7 : 1;
    });
    CHECK(WEXITSTATUS(status) == 7);
  }

  TEST_CASE("in the sandbox files and sockets and threads work") {
    const int status = sandboxed([] {
      const int file = open("/dev/null", O_RDONLY);
      const int sock = socket(AF_INET, SOCK_STREAM, 0);
      int number = 0;
      std::thread([&] { number = 7; }).join();
      return file >= 0 && sock >= 0 ? number : 1;
    });
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 7);
  }

  TEST_CASE("in the sandbox a call that is not listed is refused and the process lives") {
    const int status = sandboxed([] {
      const bool is_refused = socket(AF_PACKET, SOCK_RAW, 0) < 0 && errno == EPERM;
      const bool is_chroot_refused = chroot("/") < 0 && errno == EPERM;
      const bool is_kill_refused = kill(1, 0) < 0 && errno == EPERM;
      return is_refused && is_chroot_refused && is_kill_refused ? 7 : 1;
    });
    CHECK(WEXITSTATUS(status) == 7);
  }

  TEST_CASE("in the sandbox to run a program or to make a process ends it") {
    for (const auto& act :
         {std::function<int()>([] { return execl("/bin/true", "true", nullptr); }),
          std::function<int()>([] { return fork() == 0 ? 0 : 1; })}) {
      const int status = sandboxed(act);
      CHECK(WIFSIGNALED(status));
      CHECK(WTERMSIG(status) == SIGSYS);
    }
  }
}

}  // namespace
}  // namespace stampede::cmd
