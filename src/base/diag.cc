#include "base/diag.h"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>

namespace stampede::diag {
namespace {

void print(const char* priority, const char* level, const char* format, va_list args) {
  char text[2048];
  std::vsnprintf(text, sizeof text, format, args);
  static const bool under_systemd = std::getenv("JOURNAL_STREAM") != nullptr;
  std::fprintf(stderr, "%sstampede: %s%s\n", under_systemd ? priority : "", level, text);
}

}  // namespace

#define STAMPEDE_DIAG(name, priority, level) \
  void name(const char* format, ...) {       \
    va_list args;                            \
    va_start(args, format);                  \
    print(priority, level, format, args);    \
    va_end(args);                            \
  }
STAMPEDE_DIAG(notice, "<5>", "")
STAMPEDE_DIAG(warning, "<4>", "warning: ")
STAMPEDE_DIAG(error, "<3>", "error: ")
#undef STAMPEDE_DIAG

}  // namespace stampede::diag
