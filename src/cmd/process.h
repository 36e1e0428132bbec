// The server's process: standard descriptors, the limit of descriptors, signals.
#pragma once

#include <signal.h>

#include <cstdint>
#include <optional>

#include "base/result.h"

namespace stampede::cmd {

// Opens /dev/null in place of those of descriptors 0 to 2 that are closed: the next file that is opened would take the
// place, and lines for the operator would go into it. Before anything else.
void fill_standard_descriptors();

// Raises the limit of descriptors to the most that the administrator allows, and returns it.
[[nodiscard]] uint64_t raise_descriptor_limit();

// How many connections `shards` shards can have open with this limit of descriptors, after those that the server keeps for
// itself. The error names --connections: too few are left, or fewer than are `wanted` (0: as many as there are).
[[nodiscard]] Result<uint32_t> connections_within(uint64_t descriptors, uint32_t shards,
                                                  bool has_redis, uint32_t wanted);

// Blocks SIGTERM, SIGINT, SIGHUP, SIGUSR1 and SIGUSR2 for this thread and all that it will start, and returns them, to be waited
// for. SIGPIPE and SIGXFSZ (a file as long as ulimit -f allows) are ignored: the call that fails reports the same. SIGBUS, an I/O
// error or a full disk under a file that SQLite has mapped, ends the process with a line and exit 1. SIGCHLD means what it means by
// default: a parent may have ignored it, and then no child's end could be waited for.
[[nodiscard]] sigset_t take_signals();

// The wait status of a child that has ended; nullopt while it runs. A failure's, if the kernel has kept none.
[[nodiscard]] std::optional<int> end_of(pid_t child);

}  // namespace stampede::cmd
