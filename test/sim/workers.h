// Processes that run seeds side by side. Seed number i of a list is worker (i mod count)'s, and what becomes of it comes back through
// that worker's pipe; so the outcomes are read in the order of the list whichever is done first.
//
// What nodes print is not shown: whoever finds a broken seed runs it again himself, which gives the same.
#pragma once

#include <sys/types.h>

#include <optional>
#include <vector>

#include "run.h"

namespace stampede::sim {

class Workers {
 public:
  // They begin at once.
  Workers(std::vector<uint64_t> seeds, MishapSet allowed, uint32_t count);
  // Those that are still at work are ended.
  ~Workers();
  Workers(const Workers&) = delete;

  // Of the next seed in the list; nullopt: its worker has died of it.
  [[nodiscard]] std::optional<SeedOutcome> next();

 private:
  struct Worker {
    pid_t process = 0;
    int outcomes = -1;  // the end of the pipe that is read
  };
  void start(uint32_t number, uint32_t count);
  void work(uint32_t number, uint32_t count, int to) const;

  const std::vector<uint64_t> seeds_;
  const MishapSet allowed_;
  const Scratch scratch_;  // theirs, who may be ended in the middle of a seed
  std::vector<Worker> workers_;
  size_t read_ = 0;
};

}  // namespace stampede::sim
