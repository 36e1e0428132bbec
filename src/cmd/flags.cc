#include "cmd/flags.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <map>

#include "base/check.h"

namespace stampede::cmd {
namespace {

// A command line split into flags and values by CLI11, which is told names alone: what a value may be is the table's.
class Parser {
 public:
  explicit Parser(Command& command) { declare(command, app_); }

  // An exit code: help was printed, or what is wrong.
  std::optional<int> parse(Arguments arguments) {
    // CLI11 takes its arguments from the back of a vector.
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
    try {
      app_.parse(std::move(reversed));
    } catch (const CLI::CallForHelp&) {
      std::fputs(help_text(chosen()).c_str(), stdout);
      return kExitOk;
    } catch (const CLI::ArgumentMismatch& problem) {
      const std::string name = problem.what();
      return refuse(name.substr(0, name.find(':')) + ": expected one value");
    } catch (const CLI::ParseError& problem) {
      return refuse(problem.what());
    }
    if (const Status taken = take(); !taken) return refuse(taken.error().message);
    return std::nullopt;
  }

  // The command that was asked for: the innermost.
  Command& chosen() { return *commands_.at(innermost()); }

 private:
  void declare(Command& command, CLI::App& app) {
    commands_[&app] = &command;
    app.allow_extras();  // complaints about them are ours
    for (const Section& section : command.sections)
      for (const Flag& flag : section.flags) options_[&flag] = declare(flag, app);
    for (Command& subcommand : command.subcommands)
      declare(subcommand, *app.add_subcommand(std::string(subcommand.last_name())));
  }

  static CLI::Option* declare(const Flag& flag, CLI::App& app) {
    if (!flag.takes_value()) return app.add_flag(flag.name);
    CLI::Option* const option = app.add_option(flag.name);
    if (flag.is_repeatable())
      option->expected(1, CLI::detail::expected_max_vector_size)->allow_extra_args(false);
    return option;
  }

  CLI::App* innermost() {
    CLI::App* app = &app_;
    while (!app->get_subcommands().empty()) app = app->get_subcommands().front();
    return app;
  }

  int refuse(std::string line) {
    std::replace(line.begin(), line.end(), '\n', ' ');
    const char* const name = chosen().name.c_str();
    std::fprintf(stderr, "%s: %s (see %s --help)\n", name, line.c_str(), name);
    return kExitUsage;
  }

  // The values into the targets.
  Status take() {
    const Command& command = chosen();
    if (Status known = refuse_extras(command); !known) return known;
    for (const Section& section : command.sections)
      for (const Flag& flag : section.flags)
        if (Status taken = take(flag); !taken)
          return Error{flag.name + ": " + taken.error().message};
    return Ok{};
  }

  Status take(const Flag& flag) {
    const CLI::Option& option = *options_.at(&flag);
    if (option.count() == 0) return flag.is_required ? Status(Error{"is required"}) : Ok{};
    for (const std::string& excluded : flag.excludes)
      if (innermost()->count(excluded) > 0) return Error{"excludes " + excluded};
    for (const std::string& value : option.results())
      if (Status put = set(flag, value); !put) return put;
    return Ok{};
  }

  Status refuse_extras(const Command& command) {
    const std::vector<std::string> extras = app_.remaining(true);
    const bool lacks_subcommand = !command.subcommands.empty();
    if (lacks_subcommand && extras.empty()) return Error{"expected a subcommand"};
    if (extras.empty()) return Ok{};
    if (extras.front().starts_with('-')) return Error{"unknown flag " + extras.front()};
    return Error{(lacks_subcommand ? "unknown subcommand '" : "unexpected argument '") +
                 extras.front() + "'"};
  }

  CLI::App app_;
  std::map<const CLI::App*, Command*> commands_;
  std::map<const Flag*, CLI::Option*> options_;
};

}  // namespace

int execute(Command& command, Arguments arguments) {
  Parser parser(command);
  if (const std::optional<int> exit_code = parser.parse(arguments)) return *exit_code;
  return parser.chosen().run();
}

std::string flag_library_version() {
  return CLI11_VERSION;
}

int end_with(const std::string& subcommand, int exit_code, const std::string& message) {
  std::fprintf(stderr, "stampede %s: %s\n", subcommand.c_str(), message.c_str());
  return exit_code;
}

int usage_error(const std::string& subcommand, const std::string& message) {
  return end_with(subcommand, kExitUsage, message);
}

}  // namespace stampede::cmd
