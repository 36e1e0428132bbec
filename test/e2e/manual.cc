// What the binary says of itself: man pages that man(1) reads without a complaint, and completions that bash itself runs.
#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <sstream>

#include "harness/server.h"

namespace stampede::e2e {
namespace {

// What bash offers for a line that ends where the cursor is, as words.
std::string completed(const std::string& line) {
  const std::string script =
      "source <(\"$0\" completion bash)\n"
      "COMP_LINE=$1 COMP_POINT=${#1}\n"
      "read -ra COMP_WORDS <<<\"${1//=/ = }\"\n"
      "[[ $1 != *' ' ]] || COMP_WORDS+=('')\n"
      "COMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n"
      "f=$(complete -p stampede | sed -E 's/.*-F ([^ ]+).*/\\1/'); \"$f\" stampede; "
      "echo \"${COMPREPLY[*]}\"\n";
  const Finished finished = run({"bash", "-c", script, stampede_path(), line});
  CAPTURE(finished.err);
  CHECK(finished.err.empty());
  return finished.out;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// Those that the help of `command` lists, and theirs.
void add_subcommands(const Arguments& command, std::vector<Arguments>& found) {
  Arguments asks = command;
  asks.emplace_back("--help");
  bool is_list = false;
  for (const std::string& line : lines_of(run_stampede(asks).out)) {
    if (!line.starts_with("  ")) is_list = line == "Subcommands";
    if (!is_list || !line.starts_with("  ") || line[2] == ' ') continue;
    Arguments subcommand = command;
    subcommand.push_back(line.substr(2, line.find(' ', 2) - 2));
    found.push_back(subcommand);
    add_subcommands(subcommand, found);
  }
}

std::vector<Arguments> all_commands() {
  std::vector<Arguments> found;
  add_subcommands({}, found);
  return found;
}

// What `stampede completion SHELL` prints, as a file.
struct Completion {
  Completion(const std::string& shell, const std::string& name) : path(scratch.path(name)) {
    const Finished printed = run_stampede({"completion", shell});
    CHECK(printed.exit_code == 0);
    CHECK(printed.out.find("durability") != std::string::npos);
    write_file(path, printed.out);
  }

  Scratch scratch;
  const std::string path;
};

TEST_SUITE("e2e/manual") {
  TEST_CASE("bash completes subcommands, flags and choices") {
    CHECK(completed("stampede ser") == "serve\n");
    CHECK(completed("stampede ledger re") == "rebuild reclaim\n");
    CHECK(completed("stampede serve --admin-") == "--admin-token-file --admin-host\n");
    CHECK(completed("stampede serve --demo --durability ") == "fsync os\n");
    CHECK(completed("stampede serve --durability=f") == "fsync\n");
    CHECK(completed("stampede serve --demo ") == "sale bench\n");
    CHECK(completed("stampede serve --demo --durab") == "--durability\n");
    CHECK(completed("stampede sign ticket --us") == "--user\n");
    CHECK(completed("stampede completion ") == "bash zsh fish --help\n");
    CHECK(completed("stampede serve --shards ") == "\n");
    Scratch scratch;
    write_file(scratch.path("sale.json"), "{}");
    CHECK(completed("stampede serve --catalog " + scratch.path("sal")) ==
          scratch.path("sale.json") + "\n");
  }

  TEST_CASE("zsh takes its completion and finds it under the name of the program") {
    const Completion file("zsh", "_stampede");
    if (!is_installed("zsh")) {
      MESSAGE("zsh is not installed: skipped");
      return;
    }
    const Finished read = run({"zsh", "-n", file.path});
    CHECK(read.exit_code == 0);
    CHECK(read.err == "");
    const Finished found = run({"zsh", "-f", "-c",
                                "fpath=($1 $fpath); autoload -U compinit; compinit -D -u; "
                                "print -r -- ${_comps[stampede]}",
                                "zsh", file.scratch.path("")});
    CHECK(found.out == "_stampede\n");
    CHECK(found.err == "");
  }

  TEST_CASE("fish takes its completion and completes with it") {
    const Completion file("fish", "stampede.fish");
    if (!is_installed("fish")) {
      MESSAGE("fish is not installed: skipped");
      return;
    }
    const Finished read = run({"fish", "--no-execute", file.path});
    CHECK(read.exit_code == 0);
    CHECK(read.err == "");
    const auto offers = [&](const std::string& line, const std::string& word) {
      const Finished offered = run(
          {"fish", "--no-config", "-c", "source $argv[1]; complete -C $argv[2]", file.path, line});
      CHECK(offered.err == "");
      return ("\n" + offered.out).find("\n" + word + "\t") != std::string::npos;
    };
    CHECK(offers("stampede ser", "serve"));
    CHECK(offers("stampede ledger re", "reclaim"));
    CHECK(offers("stampede serve --durability ", "fsync"));
    CHECK_FALSE(offers("stampede ser", "load"));
  }

  TEST_CASE("there is a man page for the program and for each subcommand") {
    std::set<std::string> names = {""};
    for (const Arguments& command : all_commands()) names.insert(command[0]);
    for (const std::string& name : names) {
      CAPTURE(name);
      Scratch scratch;
      const Finished page = run_stampede(name.empty() ? Arguments{"man"} : Arguments{"man", name});
      CHECK(page.exit_code == 0);
      CHECK(page.out.starts_with(".TH stampede"));
      write_file(scratch.path("page.1"), page.out);
      if (!is_installed("groff")) continue;
      const Finished read =
          run({"groff", "-k", "-man", "-ww", "-Tutf8", "-z", scratch.path("page.1")});
      CHECK(read.err == "");
    }
    CHECK(run_stampede({"man", "srve"}).err.find("did you mean serve?") != std::string::npos);
  }

  TEST_CASE(
      "help is as wide as it says, and that of what does something has examples and exit codes") {
    const std::vector<Arguments> commands = all_commands();
    CHECK(commands.size() > 20);
    for (Arguments command : commands) {
      const bool is_about_itself =
          std::set<std::string>{"version", "help", "man", "completion"}.count(command[0]) != 0;
      command.emplace_back("--help");
      const Finished help = run_stampede(command);
      CAPTURE(help.out);
      CHECK(help.exit_code == 0);
      for (const std::string& line : lines_of(help.out)) {
        const auto columns = std::count_if(line.begin(), line.end(), [](char c) {
          return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
        });
        CHECK_MESSAGE(columns <= 100, line);
      }
      if (is_about_itself || help.out.find("\nSubcommands\n") != std::string::npos) continue;
      CHECK(help.out.find("\nExamples\n") != std::string::npos);
      CHECK(help.out.find("\nExit codes\n") != std::string::npos);
    }
  }
}

}  // namespace
}  // namespace stampede::e2e
