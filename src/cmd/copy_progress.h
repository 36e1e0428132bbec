// A line a second on stderr for whoever waits for a copy.
#pragma once

#include <cstdio>
#include <string>

#include "base/clock.h"
#include "base/words.h"

namespace stampede::cmd {

class CopyProgress {
 public:
  explicit CopyProgress(std::string subcommand) : subcommand_(std::move(subcommand)) {}

  void add(uint64_t bytes) {
    bytes_ += bytes;
    const int64_t now_ns = clock_.now().boot_ns;
    if (now_ns - printed_ns_ < kSecond) return;
    printed_ns_ = now_ns;
    std::fprintf(stderr, "stampede %s: %s copied\n", subcommand_.c_str(),
                 size_text(bytes_).c_str());
  }

 private:
  const std::string subcommand_;
  SystemClock clock_;
  int64_t printed_ns_ = clock_.now().boot_ns;
  uint64_t bytes_ = 0;
};

}  // namespace stampede::cmd
