// A case that could not be tried on this machine is no case that passed: scripts/run-tests lists it, and counts it neither way.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include "harness/binary.h"

namespace stampede::e2e {
namespace {

// A program that prints this and ends with that status.
std::string program_of(const Scratch& scratch, const std::string& name, const std::string& output,
                       int status) {
  const std::string program = scratch.path(name);
  write_file(program, "#!/bin/sh\ncat <<END\n" + output + "END\nexit " + std::to_string(status));
  REQUIRE(chmod(program.c_str(), 0700) == 0);
  return program;
}

// The last lines of scripts/run-tests over it.
std::string sum_of(const std::string& output, int status = 0) {
  Scratch scratch;
  const std::string program = program_of(scratch, "tests", output, status);
  const std::string all = run({source_path("scripts/run-tests"), program}).out;
  const size_t end_of_output = all.rfind("skipped\n\n\n");
  return end_of_output == all.npos ? all : all.substr(end_of_output + 10);
}

TEST_SUITE("e2e/skipped_cases") {
  TEST_CASE("a case without a message passes") {
    CHECK(sum_of("[doctest] test cases: 3 | 3 passed | 0 failed | 0 skipped\n\n") ==
          "3 passed, 0 failed\n");
  }

  TEST_CASE("a case that says skipped is named once and is no pass") {
    const std::string message = "x.cc:1: MESSAGE: no loop device: skipped\n";
    CHECK(sum_of("TEST CASE:  a disk is full\n\n" + message + message +
                     "TEST CASE:  another\n\nx.cc:2: MESSAGE: hm\n"
                     "[doctest] test cases: 3 | 2 passed | 1 failed | 0 skipped\n\n",
                 1) == "skipped: a disk is full: no loop device\n\n1 passed, 1 failed\n");
  }

  TEST_CASE("what a case that failed said is the end of a long log too") {
    CHECK(sum_of("=====\nTEST CASE:  good\n\n=====\nTEST CASE:  bad\n\nx.cc:2: ERROR: CHECK( a == "
                 "b ) is NOT "
                 "correct!\n  logged: seed 7\n\n=====\n"
                 "[doctest] test cases: 2 | 1 passed | 1 failed | 0 skipped\n\n",
                 1)
              .ends_with("  TEST CASE:  bad\n  \n  x.cc:2: ERROR: CHECK( a == b ) is NOT correct!\n"
                         "    logged: seed 7\n  \n\n1 passed, 1 failed\n"));
  }

  TEST_CASE("a program beside the others is shown behind them and counts like them") {
    Scratch scratch;
    const std::string beside = program_of(
        scratch, "beside", "[doctest] test cases: 3 | 2 passed | 1 failed | 0 skipped\n", 1);
    const std::string other = program_of(scratch, "other", "fine\n", 0);
    const std::string all = run({source_path("scripts/run-tests"), "--beside", beside, other}).out;
    CHECK(all.find("== " + beside) > all.find("fine\n"));
    CHECK(all.ends_with("\n3 passed, 1 failed\n"));
  }

  TEST_CASE("a program that dies behind its last case has failed") {
    CHECK(sum_of("[doctest] test cases: 3 | 3 passed | 0 failed | 0 skipped\n\n", 1) ==
          "3 passed, 1 failed\n");
  }
}

}  // namespace
}  // namespace stampede::e2e
