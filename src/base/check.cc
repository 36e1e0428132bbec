#include "base/check.h"

#include <unistd.h>

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "base/diag.h"

namespace stampede {

void check_failed(const char* condition, const char* file, int line) {
  diag::last_words(std::string("bug: ") + condition + " does not hold at " + file + ":" +
                   std::to_string(line));
  std::abort();
}

void fatal(ExitCode code, const char* format, ...) {
  char text[1024];
  va_list args;
  va_start(args, format);
  std::vsnprintf(text, sizeof text, format, args);
  va_end(args);
  diag::last_words(std::string("fatal: ") + text);
  // Not exit(): other threads still run, and nothing may be flushed or answered any more.
  _exit(code);
}

}  // namespace stampede
