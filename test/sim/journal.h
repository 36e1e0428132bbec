// What happened in a simulation, in words: the last lines are printed when a promise is broken, and a hash over all of them
// tells whether two runs of one seed were the same.
#pragma once

#include <cstdint>
#include <deque>
#include <string>

namespace stampede::sim {

class Journal {
 public:
  // `at_ns`: simulated time since the beginning.
  void note(int64_t at_ns, const std::string& line);
  [[nodiscard]] uint64_t hash() const { return hash_; }
  [[nodiscard]] uint64_t lines() const { return lines_; }
  [[nodiscard]] std::string tail() const;
  // Each line is also printed as it comes.
  void print_all(bool prints) { prints_ = prints; }

 private:
  static constexpr size_t kKept = 60;

  std::deque<std::string> last_;
  uint64_t hash_ = 14695981039346656037U;  // FNV-1a
  uint64_t lines_ = 0;
  bool prints_ = false;
};

}  // namespace stampede::sim
