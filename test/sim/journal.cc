#include "journal.h"

#include <cstdio>

namespace stampede::sim {

void Journal::note(int64_t at_ns, const std::string& line) {
  char when[32];
  std::snprintf(when, sizeof when, "%10.6f ", static_cast<double>(at_ns) / 1e9);
  std::string text = when + line;
  for (const char c : text) hash_ = (hash_ ^ static_cast<unsigned char>(c)) * 1099511628211U;
  ++lines_;
  if (prints_) std::printf("%s\n", text.c_str());
  last_.push_back(std::move(text));
  if (last_.size() > kKept) last_.pop_front();
}

std::string Journal::tail() const {
  std::string text;
  for (const std::string& line : last_) text += "  " + line + "\n";
  return text;
}

}  // namespace stampede::sim
