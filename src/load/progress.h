// One line on stderr that says how far a long run has come: rewritten in place on a terminal, otherwise a line in ten seconds, or
// each time when that was asked for.
#pragma once

#include <string>

#include "base/clock.h"

namespace stampede::load {

class Progress {
 public:
  explicit Progress(bool is_asked_for);
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void show(const std::string& line);
  void clear();  // leaves an empty line on a terminal

 private:
  SystemClock clock_;
  bool is_asked_for_, is_terminal_;
  int64_t shown_ns_ = clock_.now().boot_ns;
  bool is_dirty_ = false;
};

}  // namespace stampede::load
