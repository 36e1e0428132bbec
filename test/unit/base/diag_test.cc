#include "base/diag.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>

#include "base/line_limit.h"
#include "death.h"

namespace stampede {
namespace {

void say_all() {
  diag::notice("listening on %s", "127.0.0.1:8080");
  diag::warning("lag is %d", 7);
  diag::error("disk %s", "full");
}

// What a process says on stderr that is configured so.
std::string words_with(diag::Level least, diag::Format format, void (*say)()) {
  return death_of([&] {
           unsetenv("JOURNAL_STREAM");
           diag::configure(least, format);
           say();
         })
      .words;
}

size_t lines_of(const std::string& words) {
  return static_cast<size_t>(std::ranges::count(words, '\n'));
}

TEST_SUITE("base/diag") {
  TEST_CASE("lines below the level are not printed") {
    CHECK(words_with(diag::Level::error, diag::Format::text, say_all) ==
          "stampede: error: disk full\n");
    CHECK(lines_of(words_with(diag::Level::warning, diag::Format::text, say_all)) == 2);
    CHECK(words_with(diag::Level::debug, diag::Format::text, [] { diag::debug("turn %d", 1); }) ==
          "stampede: debug: turn 1\n");
  }

  TEST_CASE("as JSON each line is one object with time and level and message and fields") {
    const std::string words = words_with(diag::Level::notice, diag::Format::json, [] {
      diag::line(diag::Level::warning, {{"shard", 3}, {"item", "a"}, {"who", ""}}, "lag \"%d\"\n",
                 7);
    });
    CHECK(words.starts_with("{\"time\":\"2"));
    CHECK(
        words.ends_with("Z\",\"level\":\"warn\",\"message\":\"lag \\\"7\\\"\\\\x0a\",\"shard\":3,"
                        "\"item\":\"a\"}\n"));
  }

  TEST_CASE("the last words of a process are JSON too") {
    CHECK(words_with(diag::Level::error, diag::Format::json, [] {
            diag::last_words("fatal: it ends");
          }).ends_with(",\"level\":\"error\",\"message\":\"fatal: it ends\"}\n"));
  }

  TEST_CASE("of one kind some lines come and the others are counted") {
    const std::string words = words_with(diag::Level::notice, diag::Format::text, [] {
      for (int i = 0; i < 1000; ++i) diag::notice("again %d", i);
      diag::notice("something else");
    });
    CHECK(lines_of(words) == diag::LineLimit::kLinesMax + 1);
    CHECK(words.ends_with("something else\n"));
  }

  TEST_CASE("a reader who does not read holds up nobody") {
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    const std::string much(1500, 'x');
    const pid_t child = fork();
    if (child == 0) {
      dup2(ends[1], STDERR_FILENO);
      // More than a pipe holds.
      for (int kind = 0; kind < 200; ++kind) {
        diag::notice("%s", much.c_str());
        diag::warning("%.1999s", much.c_str());
        diag::error("-%s", much.c_str());
      }
      _exit(kSurvived);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(WEXITSTATUS(status) == kSurvived);
    close(ends[0]);
    close(ends[1]);
  }

  TEST_CASE("levels and formats are known by their words") {
    CHECK(diag::parse_level("warn") == diag::Level::warning);
    CHECK(diag::parse_level("info") == diag::Level::notice);
    CHECK(!diag::parse_level("loud"));
    CHECK(diag::parse_format("json") == diag::Format::json);
    CHECK(!diag::parse_format("xml"));
  }

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
