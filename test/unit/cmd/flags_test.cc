#include "cmd/flags.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "cmd/config_file.h"
#include "cmd/manual.h"
#include "cmd/nearest.h"

namespace stampede::cmd {
namespace {

// A command with a flag of each kind.
struct Kinds {
  std::string text, demo, config_path;
  std::vector<std::string> list;
  uint32_t number = 7;
  bool is_on = false;
  ConfigFile config;
  Command command{.name = "stampede x", .summary = "", .config = &config};

  Kinds() {
    command.add("", {{.name = "--text", .unit = "T", .target = &text, .help = ""},
                     {.name = "--list", .unit = "T", .target = &list, .help = ""},
                     {.name = "--n", .unit = "N", .target = &number, .help = ""},
                     {.name = "--on", .target = &is_on, .help = ""},
                     {.name = "--demo",
                      .unit = "[T]",
                      .target = &demo,
                      .help = "",
                      .choices = {"sale"},
                      .alone = "sale"},
                     {.name = "--config",
                      .unit = "FILE",
                      .target = &config_path,
                      .help = "",
                      .is_line_only = true}});
  }
  std::string read(const std::vector<std::string>& arguments) {
    const Status done = read_flags(command, arguments);
    return done ? "" : done.error().message;
  }
};

TEST_SUITE("cmd/flags") {
  TEST_CASE("an empty value is refused wherever it comes from") {
    const auto refused = [](const std::vector<std::string>& arguments) {
      return Kinds().read(arguments);
    };
    CHECK(refused({"--text", ""}) == "--text: expected a value");
    CHECK(refused({"--list", "a", "--list", ""}) == "--list: expected a value");
    CHECK(refused({"--n", ""}) == "--n: expected a whole number from 0 on, not ''");
    for (const char* name : {"--text", "--list", "--n", "--on", "--demo"})
      CHECK(refused({std::string(name) + "="}) == std::string(name) + ": expected a value");
    char path[] = "/tmp/stampede-flags-XXXXXX";
    const int file = mkstemp(path);
    REQUIRE(file >= 0);
    for (const std::string key : {"text", "list", "n", "on", "demo"}) {
      std::ofstream(path) << key << " =\n";
      CHECK(refused({"--config", path})
                .starts_with(std::string(path) + ":1: " + key + ": expected "));
    }
    close(file);
    unlink(path);
  }

  TEST_CASE("the next flag is never taken for the value of the one before") {
    Kinds kinds;
    CHECK(kinds.read({"--text=", "--on"}) == "--text: expected a value");
    CHECK(kinds.read({"--text", "--on"}) == "--text: expected a value, not '--on'");
    CHECK(kinds.read({"--on", "--list", "--help"}) == "--list: expected a value, not '--help'");
    CHECK(kinds.read({"--text", "--"}) == "--text: expected a value, not '--'");
    CHECK(kinds.read({"--text"}) == "--text: expected a value");
    CHECK_FALSE(kinds.is_on);
    CHECK(kinds.read({"--text=--on", "--demo", "--n", "3", "--list", "-1"}).empty());
    CHECK(kinds.text == "--on");
    CHECK(kinds.demo == "sale");
    CHECK(kinds.number == 3);
    CHECK(kinds.list == std::vector<std::string>{"-1"});
  }

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

  TEST_CASE("a line of a configuration file that is none is refused without its text") {
    for (const std::string wrong :
         {"ledger: redis://:topsecret@host/0?x=1", "topsecret", "db postgres://u:topsecret@h/?a=1",
          "- topsecret = 1", "Topsecret = 1", "--topsecret_1 = 1", "topsecret. = 1"}) {
      const auto lines = parse_config("a = b\n" + wrong, "f");
      REQUIRE_FALSE(bool(lines));
      CHECK(lines.error().message == "f:2: expected `name = value`");
    }
  }

  TEST_CASE("a value of a configuration file with a NUL is refused") {
    const auto lines = parse_config(std::string_view("data = /a\0/b", 11), "f");
    REQUIRE_FALSE(bool(lines));
    CHECK(lines.error().message == "f:1: data: expected text, not a NUL");
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

  // A number that wraps around, or becomes another when it is made into nanoseconds, is found out too late.
  TEST_CASE("every flag that may be negative or broken has bounds") {
    std::vector<Command> commands{stampede()};
    while (!commands.empty()) {
      const Command command = std::move(commands.back());
      commands.pop_back();
      commands.insert(commands.end(), command.subcommands.begin(), command.subcommands.end());
      for (const Section& section : command.sections)
        for (const Flag& flag : section.flags) {
          CAPTURE(command.name + " " + flag.name);
          CHECK((flag.bounds || !(std::holds_alternative<int64_t*>(flag.target) ||
                                  std::holds_alternative<double*>(flag.target))));
        }
    }
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
