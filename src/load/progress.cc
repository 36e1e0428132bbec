#include "load/progress.h"

#include <unistd.h>

#include <cstdio>

namespace stampede::load {
namespace {

constexpr int64_t kBetweenLinesNs = 10 * kSecond;

}  // namespace

Progress::Progress(bool is_asked_for)
    : is_asked_for_(is_asked_for), is_terminal_(isatty(STDERR_FILENO) == 1) {}

void Progress::show(const std::string& line) {
  const int64_t now_ns = clock_.now().boot_ns;
  if (!is_asked_for_ && !is_terminal_ && now_ns - shown_ns_ < kBetweenLinesNs) return;
  shown_ns_ = now_ns;
  std::fprintf(stderr, is_terminal_ ? "\r%s\033[K" : "%s\n", line.c_str());
  is_dirty_ = is_terminal_;
}

void Progress::clear() {
  if (is_dirty_) std::fprintf(stderr, "\r\033[K");
  is_dirty_ = false;
}

}  // namespace stampede::load
