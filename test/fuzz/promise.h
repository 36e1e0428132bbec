// What the fuzzers have in common: a promise about a reader of hostile bytes, and the end of the run when an input breaks
// it. libFuzzer then keeps the input as a file, and `build/fuzz/NAME FILE` repeats it. A CHECK of the code itself, a
// sanitizer's finding, and more than the time limit on one input end the run too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace stampede::fuzz {

[[noreturn]] inline void broken(const std::string& promise) {
  std::fprintf(stderr, "broken promise: %s\n", promise.c_str());
  std::abort();
}

inline void require(bool holds, const char* promise) {
  if (!holds) broken(promise);
}

inline std::string_view text_of(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// The first byte chooses what is tried with the rest.
struct Input {
  Input(const uint8_t* data, size_t size)
      : choice(size == 0 ? 0 : data[0]), rest(size == 0 ? "" : text_of(data + 1, size - 1)) {}
  uint8_t choice;
  std::string rest;
};

}  // namespace stampede::fuzz
