// The one source of chance: everything that a seed decides comes from here, and nothing else may.
#pragma once

#include <cstdint>
#include <span>

#include "base/check.h"

namespace stampede::sim {

// SplitMix64 (Steele, Lea, Flood 2014): small, good enough for drawing faults, the same on every machine.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  // 0 … n − 1
  uint64_t below(uint64_t n) {
    CHECK(n > 0);
    return next() % n;
  }
  uint64_t between(uint64_t low, uint64_t high) { return low + below(high - low + 1); }
  bool chance(double probability) {
    return static_cast<double>(next() >> 11) < probability * 9007199254740992.0;
  }
  template <typename T>
  T& pick(std::span<T> of) {
    return of[below(of.size())];
  }
  // A source of its own, so that what is drawn there changes nothing here.
  Random fork() { return Random(next()); }

 private:
  uint64_t state_;
};

}  // namespace stampede::sim
