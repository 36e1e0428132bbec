#include "base/check.h"

#include <unistd.h>

#include <cstdarg>
#include <cstdio>
#include <cstdlib>

namespace stampede {

void check_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "stampede: bug: %s does not hold at %s:%d\n", condition, file, line);
  std::abort();
}

void fatal(ExitCode code, const char* format, ...) {
  char text[1024];
  va_list args;
  va_start(args, format);
  std::vsnprintf(text, sizeof text, format, args);
  va_end(args);
  std::fprintf(stderr, "stampede: fatal: %s\n", text);
  // Not exit(): other threads still run, and nothing may be flushed or answered any more.
  _exit(code);
}

}  // namespace stampede
