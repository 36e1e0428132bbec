#include "cmd/flags.h"

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <vector>

#include "base/check.h"

namespace stampede::cmd {

void prepare(CLI::App& app, const std::string& subcommand) {
  app.name("stampede " + subcommand);
  app.option_defaults()->always_capture_default();
  app.get_formatter()->column_width(44);
}

std::optional<int> parse(CLI::App& app, Arguments arguments) {
  // CLI11 takes its arguments from the back of a vector.
  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
  try {
    app.parse(std::move(reversed));
    return std::nullopt;
  } catch (const CLI::CallForHelp&) {
    std::cout << app.help();
    return kExitOk;
  } catch (const CLI::ParseError& problem) {
    std::string line = problem.what();
    std::replace(line.begin(), line.end(), '\n', ' ');
    std::fprintf(stderr, "%s: %s (see %s --help)\n", app.get_name().c_str(), line.c_str(),
                 app.get_name().c_str());
    return kExitUsage;
  }
}

int end_with(const std::string& subcommand, int exit_code, const std::string& message) {
  std::fprintf(stderr, "stampede %s: %s\n", subcommand.c_str(), message.c_str());
  return exit_code;
}

int usage_error(const std::string& subcommand, const std::string& message) {
  return end_with(subcommand, kExitUsage, message);
}

}  // namespace stampede::cmd
