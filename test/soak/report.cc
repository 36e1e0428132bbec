#include "report.h"

#include <cstdio>

namespace stampede::soak {

std::atomic<bool> Report::is_interrupted_{false};

const char* to_text(Wrong wrong) {
  switch (wrong) {
    case Wrong::lost:
      return "lost";
    case Wrong::doubled:
      return "doubled";
    case Wrong::oversold:
      return "oversold";
    case Wrong::unsold:
      return "unsold";
    case Wrong::other:
      return "other";
  }
  return "";
}

void Report::add(Wrong wrong, const std::string& what) {
  if (is_interrupted_) return;
  count(wrong);
  if (is_control_) return;
  std::printf("%s, round %llu: %s: %s\n", kind_.c_str(), static_cast<unsigned long long>(rounds_),
              to_text(wrong), what.c_str());
  std::fflush(stdout);
}

uint64_t Report::wrongs() const {
  uint64_t all = 0;
  for (const auto& count : wrongs_) all += count;
  return all;
}

}  // namespace stampede::soak
