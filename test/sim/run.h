// One seed in a directory of its own, with everything that chance decides drawn from it.
#pragma once

#include <string>

#include "simulation.h"

namespace stampede::sim {

// Once, before the first.
[[nodiscard]] bool prepare_runs();
// Where files of a simulation are best made: in memory, where there is such a file system.
[[nodiscard]] std::string memory_directory();

// A directory that is gone with this object.
class Scratch {
 public:
  explicit Scratch(const std::string& parent);
  ~Scratch();
  Scratch(const Scratch&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// `allowed`: mishaps that may happen. The same seed and mishaps are the same run.
[[nodiscard]] Report run_seed(uint64_t seed, MishapSet allowed, bool prints,
                              const std::string& directory = memory_directory());

// The same without the words, for other processes: plain values.
struct SeedOutcome {
  uint64_t seed = 0;
  bool is_broken = false;
  bool has_differed = false;  // when it was run twice
  uint64_t answers = 0, orders = 0, lives = 0, steps = 0;
  int64_t simulated_ns = 0;
};
// Every hundredth seed is run twice.
[[nodiscard]] SeedOutcome try_seed(uint64_t seed, MishapSet allowed, const std::string& directory);

}  // namespace stampede::sim
