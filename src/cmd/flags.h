// Flags the way the contract wants them: `--name value` or `--name=value`, `--help` lists them all with unit, default
// and bounds; whatever is wrong is one line on stderr that names the flag and what was expected, exit 2.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <type_traits>

#include "cmd/commands.h"

namespace stampede::cmd {

// A CLI11 app named `stampede <subcommand>` that prints defaults in its help.
void prepare(CLI::App& app, const std::string& subcommand);

// A number that is checked against its bounds, which the help shows with its unit.
template <typename Number>
struct Bounds {
  Number least, most;
};
template <typename Number>
void add_number(CLI::App& app, const char* name, Number& number,
                std::type_identity_t<Bounds<Number>> bounds, const char* unit, const char* help) {
  app.add_option(name, number, help)->check(CLI::Range(bounds.least, bounds.most))->type_name(unit);
}

// Reads the arguments into the app's variables. A value means: stop here with this exit code (help was printed, or
// the one-line complaint).
[[nodiscard]] std::optional<int> parse(CLI::App& app, Arguments arguments);

// Prints `stampede <subcommand>: message` to stderr, the one line of a command that fails, and returns the exit code.
int end_with(const std::string& subcommand, int exit_code, const std::string& message);
// The same with kExitUsage, for checks that only the command can make.
int usage_error(const std::string& subcommand, const std::string& message);

}  // namespace stampede::cmd
