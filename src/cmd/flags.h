// Flags the way the contract wants them: `--name value` or `--name=value`, `--help` lists them all with unit, default
// and bounds; whatever is wrong is one line on stderr that names the flag and what was expected, exit 2.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>

#include "cmd/commands.h"

namespace stampede::cmd {

// A CLI11 app named `stampede <subcommand>` that prints defaults in its help.
void prepare(CLI::App& app, const std::string& subcommand);

// Reads the arguments into the app's variables. A value means: stop here with this exit code (help was printed, or
// the one-line complaint).
[[nodiscard]] std::optional<int> parse(CLI::App& app, Arguments arguments);

// Prints `stampede <subcommand>: message` to stderr and returns kExitUsage, for checks that only the command can make.
int usage_error(const std::string& subcommand, const std::string& message);

}  // namespace stampede::cmd
