// Lines for the operator, printed when a start has succeeded.
#pragma once

#include <cstdio>
#include <string>
#include <vector>

namespace stampede::node {

class Notices {
 public:
  [[gnu::format(printf, 2, 3)]] void note(const char* format, ...);
  [[nodiscard]] const std::vector<std::string>& lines() const { return lines_; }

 private:
  std::vector<std::string> lines_;
};

}  // namespace stampede::node
