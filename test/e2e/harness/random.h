// Chance that can be repeated: main() prints the seed, SEED sets it.
#pragma once

#include <cstdint>
#include <random>

namespace stampede::e2e {

uint64_t seed();
std::mt19937_64& random();
// A number from low to high, both included.
inline uint64_t random_between(uint64_t low, uint64_t high) {
  return std::uniform_int_distribution<uint64_t>(low, high)(random());
}
// How often tests with chance in them repeat themselves: $ROUNDS, else the default.
int rounds(int by_default);

}  // namespace stampede::e2e
