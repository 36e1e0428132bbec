// Chance that can be repeated: each sale of each kind throws dice of its own, made from the seed that the program prints.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>

namespace stampede::soak {

class Dice {
 public:
  explicit Dice(uint64_t seed) : generator_(seed) {}

  // From low to high, both included.
  int64_t between(int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(generator_);
  }
  bool one_in(int64_t times) { return between(1, times) == 1; }
  bool chance(double of_one) { return std::bernoulli_distribution(of_one)(generator_); }
  size_t index(size_t size) {
    return static_cast<size_t>(between(0, static_cast<int64_t>(size) - 1));
  }
  template <typename T, size_t N>
  const T& pick(const T (&values)[N]) {
    return values[index(N)];
  }
  uint64_t seed() { return generator_(); }  // for dice of a part

 private:
  std::mt19937_64 generator_;
};

}  // namespace stampede::soak
