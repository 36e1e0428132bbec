// One line on stderr that says how far a long run has come: rewritten in place on a terminal, a
// line each time when it was asked for and stderr is no terminal, else nothing.
#pragma once

#include <string>

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
  bool is_asked_for_, is_terminal_;
  bool is_dirty_ = false;
};

}  // namespace stampede::load
