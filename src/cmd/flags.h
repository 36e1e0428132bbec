// What a subcommand takes, as a table: its flags with unit, bounds, default and words. Whatever is said about flags is made
// from it: what is read from the command line, `--help`, and the one line on stderr, with exit 2, that names a flag and what was
// expected. A command fills in the table and never sees the library that splits a command line (flags.cc alone does).
//
//   Command drain() {
//     const auto flags = std::make_shared<Flags>();
//     Command command{.name = "stampede drain", .summary = "…", .run = [flags] { return run(*flags); }};
//     command.add("", {{.name = "--data", .unit = "DIR", .target = &flags->data, .help = "data directory"}});
//     return command;
//   }
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "cmd/commands.h"

namespace stampede::cmd {

// What a flag's value is read into, and, before that, its default. A bool takes no value; a vector's flag may be repeated.
using Target =
    std::variant<bool*, uint32_t*, int64_t*, uint64_t*, double*, std::string*,
                 std::vector<std::string>*, std::optional<uint32_t>*, std::optional<uint64_t>*>;

// Of a number; both are allowed.
struct Bounds {
  double least = 0, most = 0;
};

struct Flag {
  std::string name;  // `--shards`; without dashes it is an argument that stands by itself
  std::string unit;  // of the value: `N`, `SECONDS`; `FILE` and `DIR` are paths
  Target target;
  std::string help;  // a phrase, without what is said by the other fields
  std::string more =
      {};  // further sentences, for the manual; in both `code`, and links as in Markdown
  std::optional<Bounds> bounds = {};
  std::vector<std::string> choices = {};  // nothing else may be given
  std::string absent = {};  // what it means to leave the flag out, where that is no value
  bool is_required = false;
  std::vector<std::string> excludes = {};  // names of flags that cannot stand beside it
  // What is wrong with a value: `expected …`; empty when nothing is.
  std::string (*refuse)(const std::string&) = nullptr;

  [[nodiscard]] bool is_positional() const { return !name.starts_with('-'); }
  [[nodiscard]] bool takes_value() const { return !std::holds_alternative<bool*>(target); }
  [[nodiscard]] bool is_repeatable() const {
    return std::holds_alternative<std::vector<std::string>*>(target);
  }
};

// Flags of one subject, under its name in `--help`.
struct Section {
  std::string title;
  std::vector<Flag> flags;
};

struct Command {
  std::string name;        // `stampede log inspect`
  std::string summary;     // a line of the list that the command stands in
  std::string about = {};  // a sentence or two for its own help; empty: the summary
  std::vector<Section> sections = {};
  std::vector<Command> subcommands = {};  // when there are any, one is expected
  std::function<int()> run = {};          // with all targets set; returns the exit code

  void add(std::string title, std::vector<Flag> flags) {
    sections.push_back({std::move(title), std::move(flags)});
  }
  // `inspect`
  [[nodiscard]] std::string_view last_name() const {
    return std::string_view(name).substr(name.rfind(' ') + 1);
  }
};

// Reads the arguments into the command's targets and runs it. Returns the exit code; also when help was printed, or the line
// that says what is wrong.
int execute(Command& command, Arguments arguments);

// Puts a value into the flag's target, with the targets of a repeatable one behind what is there. The error says what was
// expected, not of which flag.
[[nodiscard]] Status set(const Flag& flag, const std::string& value);
// What the target holds now, as it would be given; empty when it holds nothing.
[[nodiscard]] std::string value_text(const Flag& flag);
// `1 to 64`; empty without bounds.
[[nodiscard]] std::string bounds_text(const Flag& flag);

// What `--help` prints.
[[nodiscard]] std::string help_text(const Command& command);

// The library's.
[[nodiscard]] std::string flag_library_version();

// Prints `stampede <subcommand>: message` to stderr, the one line of a command that fails, and returns the exit code.
int end_with(const std::string& subcommand, int exit_code, const std::string& message);
// The same with kExitUsage, for checks that only the command can make.
int usage_error(const std::string& subcommand, const std::string& message);

}  // namespace stampede::cmd
