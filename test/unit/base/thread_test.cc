#include "base/thread.h"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>

#include "death.h"

namespace stampede {
namespace {

TEST_SUITE("base/thread") {
  TEST_CASE("a started thread runs") {
    std::atomic<int> runs{0};
    start_thread("a test", [&] { ++runs; }).join();
    CHECK(runs == 1);
  }

  TEST_CASE("a thread that the machine does not give ends the process with one line") {
    const Death death = death_of([] {
      const rlimit none{.rlim_cur = 0, .rlim_max = 0};
      REQUIRE(setrlimit(RLIMIT_NPROC, &none) == 0);
      // The limit is none for root.
      if (geteuid() == 0) REQUIRE(setresuid(65534, 65534, 65534) == 0);
      start_thread("a test", [] {}).join();
    });
    CHECK(death.exit_code == kExitFailure);
    CHECK(death.words ==
          "stampede: fatal: cannot start a thread for a test: Resource temporarily unavailable (is "
          "there a limit of processes, ulimit -u?)\n");
  }
}

}  // namespace
}  // namespace stampede
