// Where the fast path to the disk is missing the server falls back and says so; where a promise
// cannot be kept it refuses.
#include <doctest/doctest.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>

#include "harness/rush.h"
#include "harness/server.h"

namespace stampede::e2e {
namespace {

// What a container's seccomp profile does: io_uring_setup fails with EPERM.
void forbid_io_uring() {
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  sock_fprog filter{.len = sizeof program / sizeof *program, .filter = program};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter);
}

TEST_SUITE("e2e/other_file_systems") {
  TEST_CASE("without io_uring orders are as durable") {
    for (int shards : {1, 2}) {
      Server server(
          {.catalog = catalog({{.stock = 10'000}}), .shards = shards, .prepare = forbid_io_uring});
      CHECK(server.says("io_uring"));
      auto outcomes = rush_until_decided(server.address(), crowd(500));
      CHECK(tally(outcomes)["201"] == 500);
      server.kill9();
      server.start();
      for (const Outcome& outcome : outcomes)
        CHECK(server.read(outcome.ask.user, outcome.order_id).status == 200);
      server.check_books();
      CHECK(server.terminate() == 0);
    }
  }

  TEST_CASE("a file system in memory is refused for fsync and taken for os") {
    std::string memory = "/dev/shm/stampede-e2e-" + std::to_string(getpid());
    if (!is_tmpfs("/dev/shm") || mkdir(memory.c_str(), 0700) != 0) {
      MESSAGE("no tmpfs at /dev/shm: skipped");
      return;
    }
    Scratch scratch;
    write_file(scratch.path("catalog.json"), catalog({{}}));
    Finished refused = run_stampede(
        {"serve", "--catalog", scratch.path("catalog.json"), "--data", memory + "/data", "--listen",
         "127.0.0.1:0", "--admin", "127.0.0.1:0", "--segment-bytes", "2097152"},
        kPatience);
    CAPTURE(refused.err);
    CHECK((refused.exit_code == 1 || refused.exit_code == 2));
    CHECK(refused.err.find("--durability os") != std::string::npos);
    {
      Server server(
          {.catalog = catalog({{}}), .flags = {{"--durability", "os"}}, .data = memory + "/data2"});
      std::string id = server.buy({.user = "u1"});
      server.kill9();
      server.start();
      CHECK(server.state_of("u1", id) == "reserved");
      server.check_books();
    }
    std::filesystem::remove_all(memory);
  }

  TEST_CASE("a data directory that cannot be written is refused with its name") {
    if (geteuid() == 0) {
      MESSAGE("root may write anywhere: skipped");
      return;
    }
    Scratch scratch;
    std::string locked = scratch.path("locked");
    REQUIRE(mkdir(locked.c_str(), 0500) == 0);
    Finished refused = run_stampede({"serve", "--demo", "--data", locked + "/data", "--listen",
                                     "127.0.0.1:0", "--admin", "127.0.0.1:0"},
                                    kPatience);
    CHECK(refused.exit_code != 0);
    CHECK(refused.err.find(locked) != std::string::npos);
  }

  TEST_CASE("a data directory that is a file is refused with its name") {
    Scratch scratch;
    write_file(scratch.path("file"), "x");
    Finished refused = run_stampede({"serve", "--demo", "--data", scratch.path("file"), "--listen",
                                     "127.0.0.1:0", "--admin", "127.0.0.1:0"},
                                    kPatience);
    CHECK((refused.exit_code == 1 || refused.exit_code == 2));
    CHECK(refused.err.find(scratch.path("file")) != std::string::npos);
    CHECK(read_file(scratch.path("file")) == "x");
  }
}

}  // namespace
}  // namespace stampede::e2e
