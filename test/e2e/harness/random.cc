#include "random.h"

#include <cstdlib>

namespace stampede::e2e {

uint64_t seed() {
  static const uint64_t value = [] {
    const char* wish = std::getenv("SEED");
    return wish != nullptr ? std::strtoull(wish, nullptr, 10) : std::random_device{}();
  }();
  return value;
}

std::mt19937_64& random() {
  static std::mt19937_64 generator(seed());
  return generator;
}

int rounds(int by_default) {
  const char* wish = std::getenv("ROUNDS");
  return wish != nullptr ? std::atoi(wish) : by_default;
}

}  // namespace stampede::e2e
