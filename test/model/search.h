// Tries the steps in every order, or in many random ones, and holds each world against the promises.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "world.h"

namespace stampede::model {

struct Finding {
  size_t worlds = 0;               // different ones that were seen
  bool is_complete = true;         // every world that can be reached was seen
  std::string broken;              // the promise, or empty
  std::vector<std::string> trace;  // the steps that lead there from the first world

  std::string text() const;
};

// Breadth first, so a trace is as short as any. Stops at the first broken promise or after worlds_max.
Finding search_all(const Rules& rules, size_t worlds_max);

// Walks of `length` random steps from the first world.
Finding search_at_random(const Rules& rules, uint64_t seed, size_t steps, int length);

}  // namespace stampede::model
