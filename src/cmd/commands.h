// The subcommands, one file each; main() picks one. Only node/ and cmd/ name concrete seams (system clock, epoll, io_uring,
// SQLite).
#pragma once

#include <span>

namespace stampede::cmd {

// Without the program's and the subcommand's name.
using Arguments = std::span<char*>;

// A subcommand's table of flags, and its function (flags.h); all of them are in stampede.cc.
struct Command;
Command stampede();  // the program, with all subcommands
Command serve();
Command load();
Command log();
Command drain();
Command audit();
Command backup();
Command restore();
Command ledger();
Command sign();
Command version();

// `git describe` of the build.
const char* version_text();

}  // namespace stampede::cmd
