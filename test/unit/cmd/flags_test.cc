#include "cmd/flags.h"

#include <doctest/doctest.h>

#include "cmd/config_file.h"
#include "cmd/manual.h"
#include "cmd/nearest.h"

namespace stampede::cmd {
namespace {

TEST_SUITE("cmd/flags") {
  TEST_CASE("a value is taken whole or named with what was expected") {
    uint32_t number = 7;
    const Flag flag{.name = "--n", .unit = "N", .target = &number, .help = "", .bounds = {{1, 64}}};
    CHECK(set(flag, "64"));
    CHECK(number == 64);
    for (const char* wrong : {"0", "65", "", "-1", "1.5", "1e1", " 1", "1x", "99999999999"}) {
      const Status status = set(flag, wrong);
      REQUIRE_FALSE(bool(status));
      CHECK(status.error().message ==
            "expected a whole number from 1 to 64, not '" + std::string(wrong) + "'");
    }
    CHECK(number == 64);
    double share = 0;
    const Flag fraction{.name = "--f", .unit = "F", .target = &share, .help = ""};
    CHECK(set(fraction, "0.25"));
    CHECK(share == 0.25);
    for (const char* wrong : {"nan", "inf", "x", ""}) CHECK_FALSE(bool(set(fraction, wrong)));
  }

  TEST_CASE("a boolean flag takes four words in a file") {
    bool is_on = false;
    const Flag flag{.name = "--on", .unit = "", .target = &is_on, .help = ""};
    for (const char* word : {"true", "yes"}) {
      is_on = false;
      CHECK(set(flag, word));
      CHECK(is_on);
    }
    for (const char* word : {"false", "no"}) {
      CHECK(set(flag, word));
      CHECK_FALSE(is_on);
    }
    for (const char* wrong : {"1", "on", "Yes", ""}) CHECK_FALSE(bool(set(flag, wrong)));
  }

  TEST_CASE("lines of a configuration file are names and values; comments and blanks are none") {
    const auto lines = parse_config("\xef\xbb\xbf# c\n\n a = b = c \r\nempty =\n\tkey=#1", "f");
    REQUIRE(bool(lines));
    REQUIRE(lines->size() == 3);
    CHECK((*lines)[0].key == "a");
    CHECK((*lines)[0].value == "b = c");
    CHECK((*lines)[0].place == "f:3");
    CHECK((*lines)[1].value.empty());
    CHECK((*lines)[2].value == "#1");
    CHECK((*lines)[2].place == "f:5");
    for (const char* wrong : {"word", "= value", " = "})
      CHECK_FALSE(bool(parse_config(wrong, "f")));
  }

  TEST_CASE("a slip of the hand finds the name that was meant") {
    const std::vector<std::string> names{"--shards", "--data", "--db", "--rate-user", "--retain"};
    CHECK(nearest("--shard", names) == "--shards");
    CHECK(nearest("--sahrds", names) == "--shards");
    CHECK(nearest("--rateuser", names) == "--rate-user");
    CHECK(nearest("--ret", names) == "--retain");
    CHECK(nearest("--completely-different", names).empty());
    CHECK(nearest("", names).empty());
  }

  TEST_CASE("a message about a flag of the file begins with its place") {
    const ConfigFile config{.places = {{"--listen", "f:3: listen"}}};
    CHECK(config.placed("--listen: expected") == "f:3: listen: expected");
    CHECK(config.placed("--listen x: expected") == "f:3: listen x: expected");
    CHECK(config.placed("--listener: expected") == "--listener: expected");
  }

  TEST_CASE("nothing in the words of a table is an instruction of the manual") {
    Command command{.name = "stampede x", .summary = ".so /etc/passwd"};
    command.add("", {{.name = "--a",
                      .unit = "N",
                      .target = static_cast<std::string*>(nullptr),
                      .help = "a \\fB, `code` and [words](link)",
                      .absent = "none"}});
    const std::string page = man_page(command);
    CHECK(page.find("\n.so") == std::string::npos);
    CHECK(page.find("a \\efB, \\fBcode\\fR and words.") != std::string::npos);
  }
}

}  // namespace
}  // namespace stampede::cmd
