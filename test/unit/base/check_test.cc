// doctest has a CHECK of its own; the one under test is reached through functions that are compiled
// with ours.
#include "base/check.h"

static void hold(bool condition) {
  CHECK(condition);
}
static void hold_counting(int& evaluations) {
  CHECK(++evaluations > 0);
}
#undef CHECK

#include <doctest/doctest.h>

#include "death.h"

namespace stampede {
namespace {

TEST_SUITE("base/check") {
  TEST_CASE("a condition that does not hold aborts the process and says where") {
    const Death death = death_of([] { hold(false); });
    CHECK(death.signal == SIGABRT);
    CHECK(death.words.starts_with(
        "stampede: bug: condition does not hold at test/unit/base/check_test.cc:"));
    CHECK(death.words.ends_with("\n"));
  }

  TEST_CASE("a condition that holds costs one evaluation in every kind of build") {
    int evaluations = 0;
    hold_counting(evaluations);
    CHECK(evaluations == 1);
    CHECK(death_of([] { hold(true); }).exit_code == kSurvived);
  }

  TEST_CASE("a fatal fault leaves with its exit code and one line and runs nothing more") {
    const Death death = death_of([] {
      atexit([] { dprintf(STDERR_FILENO, "ran after the end\n"); });
      fatal(kExitLogWrite, "sync of %s at lsn %d: %s", "0/1", 17, "Input/output error");
    });
    CHECK(death.exit_code == 71);
    CHECK(death.words == "stampede: fatal: sync of 0/1 at lsn 17: Input/output error\n");
  }

  TEST_CASE("a fatal message longer than its room is cut and not lost") {
    const std::string text(5'000, 'x');
    const Death death = death_of([&] { fatal(kExitFailure, "%s", text.c_str()); });
    CHECK(death.exit_code == kExitFailure);
    CHECK(death.words.starts_with("stampede: fatal: xxx"));
    CHECK(death.words.size() < 2'000);
  }
}

}  // namespace
}  // namespace stampede
