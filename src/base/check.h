// The end of the process when the program itself is wrong, or when going on would be a lie to a client.
//
// CHECK states an invariant; it stays on in release builds, one condition each. A failed CHECK is a bug in
// stampede: the whole process aborts, so that no half-alive shard goes on answering.
//
// fatal() is for faults of the world after which no answer would be true (a failed log write): it writes the fault, its
// place and its cause to stderr and ends with the documented exit code. Nothing is retried, no destructor runs.
#pragma once

namespace stampede {

// Exit codes of the process; sysexits.h gave the numbers above 64.
enum ExitCode : int {
  kExitOk = 0,
  kExitFailure = 1,
  kExitUsage = 2,
  kExitMissed = 3,       // nothing broke, but an expectation was not met
  kExitLogWrite = 71,    // a write to the order log failed
  kExitDirInUse = 73,    // another process holds the data directory
  kExitTryLater = 75,    // nothing is wrong, but it is too early
  kExitLogDamaged = 78,  // the order log is damaged or was rolled back
};

[[noreturn]] void check_failed(const char* condition, const char* file, int line);
[[noreturn, gnu::format(printf, 2, 3)]] void fatal(ExitCode code, const char* format, ...);

}  // namespace stampede

#define CHECK(condition)                        \
  (__builtin_expect(!!(condition), 1) ? void(0) \
                                      : ::stampede::check_failed(#condition, __FILE__, __LINE__))
