#include "ended.h"

#include <utility>

namespace stampede::sim {
namespace {

std::function<void()> on_process_end;

[[noreturn]] void end_process(NodeEnded ended) {
  if (on_process_end) on_process_end();
  throw ended;
}

}  // namespace

void set_on_end(std::function<void()> on_end) {
  on_process_end = std::move(on_end);
}

}  // namespace stampede::sim

// Named by the linker's --wrap.
extern "C" {
[[noreturn]] void __wrap__exit(int exit_code) {  // NOLINT(bugprone-reserved-identifier)
  stampede::sim::end_process({.exit_code = exit_code});
}
[[noreturn]] void __wrap_abort() {  // NOLINT(bugprone-reserved-identifier)
  stampede::sim::end_process({.exit_code = 134, .is_bug = true});
}
}
