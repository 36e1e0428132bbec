// Rights that the process gives up, so that a fault in it is worth less to an intruder: its core dumps, which would hold the keys,
// and all system calls that a running server does not make.
//
// The filter (seccomp) allows the calls of a list and answers EPERM to any other: a library that falls back to another way when a
// call is refused must not end a sale. Only calls that no one but an intruder would make end the process at once: to run a program,
// to make another process, to look into one. A hand-over has to start a program all the same: the keeper does it, from outside
// (keeper.h).
#pragma once

#include "base/result.h"

namespace stampede::cmd {

// No core file, and no other process of the user may look into the memory.
void forbid_core_dumps();

// For all threads, those there are and those to come; nothing takes it back. To be called when the server has started.
[[nodiscard]] Status enter_sandbox();

}  // namespace stampede::cmd
