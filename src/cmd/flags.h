// A subcommand's table of flags: each with unit, bounds, default and words. All code that reads or explains flags works from it:
// reading the command line and a configuration file, the one line on stderr, with exit 2, that names a flag and the values that
// were expected, `--help`, the manual (manual.h), completions (completion.cc). A command fills in the table and never sees the
// library that splits a command line (flags.cc alone does).
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
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "cmd/commands.h"

namespace stampede::cmd {

// The variable that a flag's value is read into; before that it holds the default. A bool takes no value; a vector's flag may be
// repeated.
using Target =
    std::variant<bool*, uint32_t*, int64_t*, uint64_t*, double*, std::string*,
                 std::vector<std::string>*, std::optional<uint32_t>*, std::optional<uint64_t>*>;

// Of a number; both are allowed.
struct Bounds {
  double least = 0, most = 0;
};

struct Flag {
  std::string name;  // `--shards`; without dashes it is an argument by itself
  std::string unit;  // of the value: `N`, `SECONDS`; `FILE` and `DIR` are paths
  Target target;
  std::string help;  // a phrase, without the facts in the other fields
  std::string more =
      {};  // further sentences, for the manual; in both `code`, and links as in Markdown
  std::optional<Bounds> bounds = {};
  std::vector<std::string> choices = {};  // nothing else may be given
  std::string alone = {};   // the value that the name means by itself; empty: a value is expected
  std::string absent = {};  // the meaning of leaving the flag out, where that is no value
  bool is_required = false;
  std::vector<std::string> excludes = {};  // names of flags that exclude it
  bool is_live = false;                    // a reload takes up another value
  bool is_line_only = false;               // not in a configuration file
  // The fault of a value: `expected …`; empty when there is none.
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

// A line that shows a use of a command.
struct Example {
  std::string line, what;
};

struct ExitMeaning {
  int code;
  std::string means;
};

// Flags from a file, for a command that has `--config`.
struct ConfigFile {
  std::string path;                    // the flag's target; empty: there is none
  std::vector<std::string> arguments;  // the command line, for reading both again
  // Of flags that the file decides: where they are and their names there, `FILE:LINE: listen` of `--listen`.
  std::map<std::string, std::string> places;

  // A message that begins with such a flag begins with its place instead.
  [[nodiscard]] std::string placed(const std::string& message) const;
};

struct Command {
  std::string name;        // `stampede log inspect`
  std::string summary;     // a line in a list of commands
  std::string about = {};  // a sentence or two for its own help; empty: the summary
  std::vector<Section> sections = {};
  std::vector<Command> subcommands = {};  // when there are any, one is expected
  std::vector<Example> examples = {};
  std::vector<ExitMeaning> exits = {};  // without 0 and 2, when nothing is special about them
  ConfigFile* config = nullptr;
  bool is_server = false;         // its lines are for whoever looks on: it runs on without them
  std::function<int()> run = {};  // with all targets set; returns the exit code

  void add(std::string title, std::vector<Flag> flags) {
    sections.push_back({std::move(title), std::move(flags)});
  }
  // `inspect`
  [[nodiscard]] std::string_view last_name() const {
    return std::string_view(name).substr(name.rfind(' ') + 1);
  }
};

// Reads the arguments into the command's targets and runs it. Returns the exit code; also when help was printed, or the line
// about a wrong argument.
int execute(Command& command, Arguments arguments);

// The same without running it, for looking at the flags again. The error names the wrong one.
[[nodiscard]] Status read_flags(Command& command, const std::vector<std::string>& arguments);

// The exit code of a command whose output is what it is for: a failure, with a line, when not all of it could be written.
int with_output(const std::string& command, int exit_code);

// Puts a value into the flag's target, of a repeatable one behind the values that are there. The error has the expected values,
// not the flag's name.
[[nodiscard]] Status set(const Flag& flag, const std::string& value);
// Makes the target of a repeatable flag empty.
void clear(const Flag& flag);
// The target's value now, for people; empty when it has none.
[[nodiscard]] std::string value_text(const Flag& flag);
// `1 to 64`; empty without bounds.
[[nodiscard]] std::string bounds_text(const Flag& flag);

// Words without the marks of Markdown: `[words](link)` are words; code stays in its quotes.
[[nodiscard]] std::string plain(std::string text);
// Default, as it is documented: `256`, `` `./stampede-data` ``; empty when there is none.
[[nodiscard]] std::string default_text(const Flag& flag);

// The text that `--help` prints.
[[nodiscard]] std::string help_text(const Command& command);

// The library's.
[[nodiscard]] std::string flag_library_version();

// Prints `stampede <subcommand>: message` to stderr, the one line of a command that fails, and returns the exit code.
int end_with(const std::string& subcommand, int exit_code, const std::string& message);
// The same with kExitUsage, for checks that only the command can make.
int usage_error(const std::string& subcommand, const std::string& message);

}  // namespace stampede::cmd
