#include "node/notices.h"

#include <cstdarg>

namespace stampede::node {

void Notices::note(const char* format, ...) {
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  lines_.emplace_back(text);
}

}  // namespace stampede::node
