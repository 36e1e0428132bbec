#include "cmd/process.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "../base/death.h"
#include "base/check.h"
#include "bounds.h"

namespace stampede::cmd {
namespace {

// A child that must have found all as it should be leaves with this.
constexpr int kFine = 42;

int exit_code_of(bool (*is_fine)()) {
  return death_of([is_fine] { _exit(is_fine() ? kFine : 1); }).exit_code;
}

TEST_SUITE("cmd/process") {
  TEST_CASE("a closed standard descriptor becomes /dev/null and an open one stays") {
    for (const int closed : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
      CAPTURE(closed);
      static int number;
      number = closed;
      CHECK(exit_code_of([] {
              ::close(number);
              fill_standard_descriptors();
              const int next = ::dup(STDIN_FILENO);
              char path[64] = {};
              const std::string link = "/proc/self/fd/" + std::to_string(number);
              return next > STDERR_FILENO && ::readlink(link.c_str(), path, sizeof path - 1) > 0 &&
                     std::string(path) == "/dev/null";
            }) == kFine);
    }
    CHECK(exit_code_of([] {
            for (int i = 0; i <= 2; ++i) ::close(i);
            fill_standard_descriptors();
            return ::dup(0) == 3 || ::fcntl(2, F_GETFD) >= 0;
          }) == kFine);
  }

  TEST_CASE("the soft limit of descriptors is raised to the hard one") {
    CHECK(exit_code_of([] {
            const rlimit low{.rlim_cur = 64, .rlim_max = 200};
            return setrlimit(RLIMIT_NOFILE, &low) == 0 && raise_descriptor_limit() == 200;
          }) == kFine);
  }

  TEST_CASE("connections are what the limit of descriptors leaves") {
    CHECK(*connections_within(256, 2, false, 0) == 256 - 40 - 2 * 27 - 16);
    CHECK(*connections_within(256, 2, true, 0) == 256 - 40 - 2 * 31 - 16);
    CHECK(*connections_within(1'000'000'000, 2, false, 0) == 2 * bounds::connections_max);
    CHECK(*connections_within(256, 2, false, 100) == 146);  // operators may raise it so far
    CHECK(*connections_within(256, 2, false, 146) == 146);
    CHECK(
        connections_within(256, 2, false, 147).error().message ==
        "--connections 147: the limit of descriptors (ulimit -n) is 256, of which the server keeps "
        "110 for itself; expected at most 146");
    CHECK(connections_within(1'000'000'000, 2, false, 2 * bounds::connections_max + 1)
              .error()
              .message == "--connections 262145: the tables of --shards 2 have room for 262144");
    CHECK(*connections_within(126, 2, false, 0) == 16);
    CHECK(
        connections_within(125, 2, false, 0).error().message ==
        "--connections: the limit of descriptors (ulimit -n) is 125, of which the server keeps 110 "
        "for itself; expected at least 126");
    CHECK(!connections_within(3, 64, true, 0));
  }

  TEST_CASE("signals that mean nothing to a server do not end it") {
    CHECK(exit_code_of([] {
            const sigset_t taken = take_signals();
            for (const int number : {SIGPIPE, SIGXFSZ, SIGHUP, SIGUSR1, SIGUSR2, SIGTERM, SIGINT})
              ::kill(::getpid(), number);
            const timespec now{};
            int waited = 0;
            while (::sigtimedwait(&taken, nullptr, &now) > 0) ++waited;
            return waited == 5;
          }) == kFine);
  }

  TEST_CASE("the end of a child is known also when the parent before ignored such ends") {
    CHECK(exit_code_of([] {
            ::signal(SIGCHLD, SIG_IGN);
            (void)take_signals();
            const pid_t child = ::fork();
            if (child == 0) _exit(kExitDirInUse);
            std::optional<int> status;
            while (!(status = end_of(child))) ::usleep(1'000);
            return WIFEXITED(*status) && WEXITSTATUS(*status) == kExitDirInUse;
          }) == kFine);
  }

  TEST_CASE("a child of whose end nothing is known has failed") {
    const std::optional<int> status = end_of(::getppid());
    REQUIRE(status);
    CHECK(WIFEXITED(*status));
    CHECK(WEXITSTATUS(*status) == kExitFailure);
  }

  TEST_CASE("a file that is as long as it may be is a failed write and no signal") {
    CHECK(exit_code_of([] {
            (void)take_signals();
            const rlimit short_files{.rlim_cur = 10, .rlim_max = 10};
            char path[] = "/tmp/stampede-process-XXXXXX";
            const int file = ::mkstemp(path);
            ::unlink(path);
            return setrlimit(RLIMIT_FSIZE, &short_files) == 0 &&
                   ::write(file, "0123456789", 10) == 10 && ::write(file, "x", 1) < 0 &&
                   errno == EFBIG;
          }) == kFine);
  }

  TEST_CASE("a mapped file that cannot be read ends the process with a line") {
    const Death death = death_of([] {
      (void)take_signals();
      char path[] = "/tmp/stampede-process-XXXXXX";
      const int file = ::mkstemp(path);
      ::unlink(path);
      // Nothing of the file is behind the mapping: reading it is what an I/O error is.
      const void* mapped = ::mmap(nullptr, 4096, PROT_READ, MAP_SHARED, file, 0);
      _exit(*static_cast<const volatile char*>(mapped));
    });
    CHECK(death.exit_code == kExitFailure);
    CHECK(death.words.rfind("stampede: fatal: SIGBUS: ", 0) == 0);
  }
}

}  // namespace
}  // namespace stampede::cmd
