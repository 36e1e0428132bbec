// What the binary says of itself: man pages that man(1) reads without a complaint, and completions that bash itself runs.
#include <doctest/doctest.h>

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
    for (const std::string name : {"", "serve", "load", "log", "drain", "audit", "ledger", "sign",
                                   "version", "help", "man", "completion"}) {
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

  TEST_CASE("help is as wide as it says, and every flag has its line") {
    for (const std::string name : {"serve", "load", "audit", "ledger reclaim"}) {
      Arguments arguments;
      for (size_t at = 0; at <= name.size(); at = name.find(' ', at) + 1) {
        arguments.push_back(name.substr(at, name.find(' ', at) - at));
        if (name.find(' ', at) == name.npos) break;
      }
      arguments.emplace_back("--help");
      const Finished help = run_stampede(arguments);
      for (size_t at = 0; at < help.out.size();) {
        const std::string line = help.out.substr(at, help.out.find('\n', at) - at);
        at += line.size() + 1;
        size_t columns = 0;
        for (const char c : line) columns += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
        CHECK_MESSAGE(columns <= 100, line);
      }
    }
  }
}

}  // namespace
}  // namespace stampede::e2e
