#include "cmd/flags.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <map>
#include <set>

#include "base/check.h"
#include "base/diag.h"
#include "cmd/config_file.h"
#include "cmd/nearest.h"

namespace stampede::cmd {
namespace {

// A command line split into flags and values by CLI11. It gets names alone: the table decides which values are allowed.
class Parser {
 public:
  explicit Parser(Command& command) { declare(command, app_); }

  // `--help` is no error: asks_for_help() is true when it was given.
  Status parse(const std::vector<std::string>& arguments) {
    try {
      // CLI11 takes its arguments from the back of a vector.
      app_.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
    } catch (const CLI::CallForHelp&) {
      asks_for_help_ = true;
      return Ok{};
    } catch (const CLI::ArgumentMismatch& problem) {
      const std::string name = problem.what();
      return Error{name.substr(0, name.find(':')) + ": expected a value"};
    } catch (const CLI::ParseError& problem) {
      std::string line = problem.what();
      std::replace(line.begin(), line.end(), '\n', ' ');
      return Error{line};
    }
    if (Status valued = refuse_missing_values(arguments); !valued) return valued;
    return take();
  }

  [[nodiscard]] bool asks_for_help() const { return asks_for_help_; }

  // How many names of subcommands the arguments begin with.
  [[nodiscard]] std::ptrdiff_t depth() {
    std::ptrdiff_t depth = 0;
    for (const CLI::App* app = innermost(); app != &app_; app = app->get_parent()) ++depth;
    return depth;
  }

  // The command that was asked for: the innermost.
  Command& chosen() { return *commands_.at(innermost()); }

 private:
  void declare(Command& command, CLI::App& app) {
    commands_[&app] = &command;
    app.allow_extras();  // complaints about them are ours
    for (const Section& section : command.sections)
      for (const Flag& flag : section.flags) options_[&flag] = declare(flag, app);
    if (!command.subcommands.empty()) app.require_subcommand(0, 1);  // further names are arguments
    for (Command& subcommand : command.subcommands)
      declare(subcommand, *app.add_subcommand(std::string(subcommand.last_name())));
  }

  static CLI::Option* declare(const Flag& flag, CLI::App& app) {
    if (!flag.takes_value()) return app.add_flag(flag.name);
    CLI::Option* const option = app.add_option(flag.name);
    if (!flag.alone.empty()) option->expected(0, 1);
    if (flag.is_repeatable())
      option->expected(1, CLI::detail::expected_max_vector_size)
          ->allow_extra_args(flag.is_positional());
    return option;
  }

  CLI::App* innermost() {
    CLI::App* app = &app_;
    while (!app->get_subcommands().empty()) app = app->get_subcommands().front();
    return app;
  }

  const Flag* find(std::string_view name) {
    for (const Section& section : chosen().sections)
      for (const Flag& flag : section.flags)
        if (flag.name == name) return &flag;
    return nullptr;
  }

  // CLI11 takes what stands behind a name for its value, be it the next flag, and behind `--name=` too. A value that begins with
  // dashes is written with the equals sign.
  Status refuse_missing_values(const std::vector<std::string>& arguments) {
    for (size_t at = 0; at < arguments.size() && arguments[at] != "--"; ++at) {
      const std::string name = arguments[at].substr(0, arguments[at].find('='));
      const Flag* const flag = find(name);
      if (flag == nullptr || flag->is_positional()) continue;
      if (arguments[at] == name + '=') return Error{name + ": expected a value"};
      const bool is_next = arguments[at] == name && flag->takes_value() && flag->alone.empty();
      if (!is_next || ++at == arguments.size()) continue;
      if (arguments[at].starts_with("--"))
        return Error{name + ": expected a value, not '" + arguments[at] + "'"};
    }
    return Ok{};
  }

  // The values into the targets: first those of the file, then those of the command line, which win.
  Status take() {
    Command& command = chosen();
    if (Status known = refuse_extras(command); !known) return known;
    if (Status configured = take_config(command); !configured) return configured;
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
    clear(flag);
    for (const std::string& value : option.results())
      if (Status put = set(flag, value.empty() && !flag.alone.empty() ? flag.alone : value); !put)
        return put;
    return Ok{};
  }

  Status take_config(Command& command) {
    if (command.config == nullptr || innermost()->count("--config") == 0) return Ok{};
    const std::string path = innermost()->get_option("--config")->results().front();
    const Result<std::vector<ConfigLine>> lines = read_config(path);
    if (!lines) return lines.error();
    std::set<std::string> given;
    for (const ConfigLine& line : *lines) {
      const bool is_first = given.insert(line.key).second;
      if (Status taken = take(line, is_first, command); !taken)
        return Error{line.place + ": " + line.key + ": " + taken.error().message};
    }
    return Ok{};
  }

  Status take(const ConfigLine& line, bool is_first, Command& command) {
    const std::string name = "--" + line.key;
    const Flag* const found = find(name);
    if (found == nullptr)
      return Error{"expected the name of a flag" + did_you_mean(line.key, keys_of(command))};
    if (found->is_line_only) return Error{"expected on the command line alone"};
    if (!is_first && !found->is_repeatable()) return Error{"expected once"};
    if (innermost()->count(name) == 0)
      command.config->places.try_emplace(name, line.place + ": " + line.key);
    return set(*found, line.value);
  }

  // The names that a configuration file may have.
  static std::vector<std::string> keys_of(const Command& command) {
    std::vector<std::string> keys;
    for (const Section& section : command.sections)
      for (const Flag& flag : section.flags)
        if (!flag.is_line_only) keys.push_back(flag.name.substr(2));
    return keys;
  }

  Status refuse_extras(const Command& command) {
    const std::vector<std::string> extras = app_.remaining(true);
    std::vector<std::string> names;
    for (const Command& subcommand : command.subcommands)
      names.emplace_back(subcommand.last_name());
    if (!names.empty() && extras.empty()) return Error{"expected a subcommand: " + listed(names)};
    if (extras.empty()) return Ok{};
    const std::string& extra = extras.front();
    if (extra.starts_with('-')) {
      for (const Section& section : command.sections)
        for (const Flag& flag : section.flags) names.push_back(flag.name);
      const std::string name = extra.substr(0, extra.find('='));
      return Error{"unknown flag " + name + did_you_mean(name, names)};
    }
    if (command.subcommands.empty()) return Error{"unexpected argument '" + extra + "'"};
    return Error{"unknown subcommand '" + extra + "'" + did_you_mean(extra, names)};
  }

  static std::string listed(const std::vector<std::string>& names) {
    std::string list;
    for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
    return list;
  }

  bool asks_for_help_ = false;
  CLI::App app_;
  std::map<const CLI::App*, Command*> commands_;
  std::map<const Flag*, CLI::Option*> options_;
};

}  // namespace

std::string ConfigFile::placed(const std::string& message) const {
  const size_t end = message.find_first_of(": ");
  const auto place = places.find(message.substr(0, end));
  return place == places.end() ? message : place->second + message.substr(end);
}

int execute(Command& command, Arguments arguments) {
  Parser parser(command);
  const std::vector<std::string> texts(arguments.begin(), arguments.end());
  const Status parsed = parser.parse(texts);
  Command& chosen = parser.chosen();
  if (!parsed) {
    std::fprintf(stderr, "%s: %s (see %s --help)\n", chosen.name.c_str(),
                 parsed.error().message.c_str(), chosen.name.c_str());
    return kExitUsage;
  }
  if (parser.asks_for_help()) {
    std::fputs(help_text(chosen).c_str(), stdout);
    return with_output(chosen.name, kExitOk);
  }
  if (chosen.config != nullptr)
    chosen.config->arguments.assign(texts.begin() + parser.depth(), texts.end());
  const int exit_code = chosen.run();
  return chosen.is_server ? exit_code : with_output(chosen.name, exit_code);
}

int with_output(const std::string& command, int exit_code) {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return exit_code;
  std::fprintf(stderr, "%s: its output could not be written\n", command.c_str());
  return exit_code == kExitOk ? kExitFailure : exit_code;
}

Status read_flags(Command& command, const std::vector<std::string>& arguments) {
  return Parser(command).parse(arguments);
}

std::string flag_library_version() {
  return CLI11_VERSION;
}

int end_with(const std::string& subcommand, int exit_code, const std::string& message) {
  if (diag::is_json())
    diag::error("%s: %s", subcommand.c_str(), message.c_str());
  else
    std::fprintf(stderr, "stampede %s: %s\n", subcommand.c_str(), message.c_str());
  return exit_code;
}

int usage_error(const std::string& subcommand, const std::string& message) {
  return end_with(subcommand, kExitUsage, message);
}

}  // namespace stampede::cmd
