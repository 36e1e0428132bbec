#include "base/diag.h"

#include <doctest/doctest.h>

#include <cstdlib>

#include "death.h"

namespace stampede {
namespace {

void say_all() {
  diag::notice("listening on %s", "127.0.0.1:8080");
  diag::warning("lag is %d", 7);
  diag::error("disk %s", "full");
}

TEST_SUITE("base/diag") {
  TEST_CASE("each message is one line that names the program and the level") {
    const Death child = death_of([] {
      unsetenv("JOURNAL_STREAM");
      say_all();
    });
    CHECK(child.exit_code == kSurvived);
    CHECK(child.words ==
          "stampede: listening on 127.0.0.1:8080\nstampede: warning: lag is 7\nstampede: error: "
          "disk full\n");
  }

  TEST_CASE("under systemd each line begins with its syslog priority") {
    const Death child = death_of([] {
      setenv("JOURNAL_STREAM", "8:1", 1);
      say_all();
    });
    CHECK(child.words ==
          "<5>stampede: listening on 127.0.0.1:8080\n<4>stampede: warning: lag is 7\n<3>stampede: "
          "error: disk full\n");
  }
}

}  // namespace
}  // namespace stampede
