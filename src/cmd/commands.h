// The subcommands, one file each; main() picks one. Each takes its own arguments (without the program's and the
// subcommand's name) and returns the exit code. Only node/ and cmd/ name concrete seams (system clock, epoll, io_uring, SQLite).
#pragma once

#include <span>

namespace stampede::cmd {

using Arguments = std::span<char*>;

int serve(Arguments arguments);
int load(Arguments arguments);
int log(Arguments arguments);
int drain(Arguments arguments);
int audit(Arguments arguments);
int ledger(Arguments arguments);
int sign(Arguments arguments);
int version(Arguments arguments);

// `git describe` of the build.
const char* version_text();

}  // namespace stampede::cmd
