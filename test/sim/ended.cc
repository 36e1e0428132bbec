#include "ended.h"

// Named by the linker's --wrap.
extern "C" {
[[noreturn]] void __wrap__exit(int exit_code) {  // NOLINT(bugprone-reserved-identifier)
  throw stampede::sim::NodeEnded{.exit_code = exit_code};
}
[[noreturn]] void __wrap_abort() {  // NOLINT(bugprone-reserved-identifier)
  throw stampede::sim::NodeEnded{.exit_code = 134, .is_bug = true};
}
}
