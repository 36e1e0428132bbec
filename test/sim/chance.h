// Chance that is the same everywhere: numbers from a seeded generator, by arithmetic of our own. What the standard library's
// distributions make of the same generator is each library's own affair.
#pragma once

#include <cstdint>
#include <random>

namespace stampede::sim {

using Random = std::mt19937_64;

// 0 … count − 1; count > 0.
inline uint64_t below(Random& random, uint64_t count) {
  return random() % count;
}
// low … high, both included.
inline uint64_t between(Random& random, uint64_t low, uint64_t high) {
  return low + below(random, high - low + 1);
}
inline bool one_in(Random& random, uint64_t count) {
  return below(random, count) == 0;
}

}  // namespace stampede::sim
