// stampede: a flash-sale order server. This file is the table of contents of what the binary can do.
#include <sodium.h>

#include <cstdio>
#include <cstring>

#include "base/check.h"
#include "cmd/commands.h"
#include "cmd/process.h"

namespace {

using namespace stampede;

struct Command {
  const char* name;
  int (*run)(cmd::Arguments);
  const char* summary;
};

constexpr Command kCommands[] = {
    {"serve", cmd::serve, "sell: the server"},
    {"load", cmd::load, "a crowd of users against a running server, and the proof of the sale"},
    {"log", cmd::log, "inspect or verify the order log of a data directory"},
    {"drain", cmd::drain, "replay a data directory's order log into a database, without a server"},
    {"audit", cmd::audit, "hold order log, ledger and database against each other"},
    {"ledger", cmd::ledger,
     "operate a ledger that nodes share: preheat, status, rebuild, deactivate, reclaim"},
    {"sign", cmd::sign, "mint user tickets, payment signatures and key files"},
    {"version", cmd::version, "version, commit, compiler and linked libraries"},
};

int print_usage(std::FILE* out) {
  std::fprintf(out, "usage: stampede SUBCOMMAND [flags]\n\n");
  for (const Command& command : kCommands)
    std::fprintf(out, "  %-9s %s\n", command.name, command.summary);
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
  if (!std::strcmp(argv[1], "--help") || !std::strcmp(argv[1], "-h") ||
      !std::strcmp(argv[1], "help"))
    return print_usage(stdout);
  if (!std::strcmp(argv[1], "--version")) return cmd::version({});
  for (const Command& command : kCommands)
    if (!std::strcmp(argv[1], command.name)) return command.run({argv + 2, argv + argc});
  std::fprintf(stderr, "stampede: unknown subcommand '%s' (see stampede --help)\n", argv[1]);
  return kExitUsage;
}
