// stampede: a flash-sale order server. This file is the table of contents of what the binary can do.
#include <sodium.h>

#include <cstdio>
#include <string>
#include <string_view>

#include "base/check.h"
#include "cmd/flags.h"
#include "cmd/process.h"

namespace {

using namespace stampede;

constexpr cmd::Command (*kCommands[])() = {cmd::serve, cmd::load,   cmd::log,  cmd::drain,
                                           cmd::audit, cmd::ledger, cmd::sign, cmd::version};

int print_usage(std::FILE* out) {
  std::fprintf(out, "usage: stampede SUBCOMMAND [flags]\n\n");
  for (const auto make : kCommands) {
    const cmd::Command command = make();
    std::fprintf(out, "  %-9s %s\n", std::string(command.last_name()).c_str(),
                 command.summary.c_str());
  }
  std::fprintf(
      out, "\n`stampede SUBCOMMAND --help` lists the flags. First steps: stampede serve --demo\n");
  return out == stdout ? kExitOk : kExitUsage;
}

}  // namespace

int main(int argc, char** argv) {
  cmd::fill_standard_descriptors();
  // A supervisor or a pipe reads each line when it is printed, as a terminal does.
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  if (sodium_init() < 0) fatal(kExitFailure, "libsodium could not be initialised");
  if (argc < 2) return print_usage(stderr);
  const std::string_view name = argv[1];
  if (name == "--help" || name == "-h" || name == "help") return print_usage(stdout);
  if (name == "--version") return cmd::version().run();
  for (const auto make : kCommands)
    if (cmd::Command command = make(); name == command.last_name())
      return cmd::execute(command, {argv + 2, argv + argc});
  std::fprintf(stderr, "stampede: unknown subcommand '%s' (see stampede --help)\n", argv[1]);
  return kExitUsage;
}
