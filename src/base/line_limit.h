// How many lines of one kind may be printed in a while, and how many were left out. Pure; the caller locks.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

namespace stampede::diag {

class LineLimit {
 public:
  static constexpr uint32_t kLinesMax = 20;
  static constexpr int64_t kWindowNs = 10'000'000'000;

  // A line of this kind may be printed; the value is how many were left out before it.
  std::optional<uint64_t> admit(const void* kind, int64_t now_ns) {
    Kind& mine = kinds_[kind];
    uint64_t left_out = 0;
    if (now_ns - mine.since_ns >= kWindowNs) {
      left_out = mine.left_out;
      mine = {.since_ns = now_ns};
    }
    if (mine.lines < kLinesMax) {
      ++mine.lines;
      return left_out;
    }
    ++mine.left_out;
    return std::nullopt;
  }

  // The number of lines left out in windows that have ended, which no later line has reported.
  uint64_t take_left_out(int64_t now_ns) {
    uint64_t left_out = 0;
    for (auto& [kind, one] : kinds_) {
      if (one.left_out == 0 || now_ns - one.since_ns < kWindowNs) continue;
      left_out += one.left_out;
      one.left_out = 0;
    }
    return left_out;
  }

 private:
  struct Kind {
    int64_t since_ns = INT64_MIN / 2;
    uint32_t lines = 0;
    uint64_t left_out = 0;
  };
  std::map<const void*, Kind> kinds_;  // as many as there are calls in the source
};

}  // namespace stampede::diag
