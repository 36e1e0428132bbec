#include "load/tally.h"

#include <algorithm>

namespace stampede::load {

void NamedCounts::add(std::string_view name, uint64_t n) {
  for (size_t i = 0; i < size_; ++i) {
    if (entries_[i].name.view() != name) continue;
    entries_[i].count += n;
    return;
  }
  if (size_ + 1 == kNamesMax) name = "(other)";  // the last cell takes all that came too late
  if (size_ < kNamesMax) entries_[size_++].name = Name(name.substr(0, 47));
  entries_[size_ - 1].count += n;
}

void NamedCounts::merge(const NamedCounts& other) {
  for (size_t i = 0; i < other.size_; ++i) add(other.entries_[i].name, other.entries_[i].count);
}

uint64_t NamedCounts::operator[](std::string_view name) const {
  for (size_t i = 0; i < size_; ++i)
    if (entries_[i].name.view() == name) return entries_[i].count;
  return 0;
}

uint64_t NamedCounts::total() const {
  uint64_t total = 0;
  for (size_t i = 0; i < size_; ++i) total += entries_[i].count;
  return total;
}

std::vector<NamedCounts::Entry> NamedCounts::by_count() const {
  std::vector<Entry> sorted(entries_.begin(), entries_.begin() + size_);
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const Entry& a, const Entry& b) { return a.count > b.count; });
  return sorted;
}

void Live::add(const Live& other) {
  bump(sent, other.sent);
  bump(answered, other.answered);
  bump(sold, other.sold);
  bump(refused, other.refused);
  bump(failures, other.failures);
  bump(waiting, other.waiting);
}

void Tally::merge(const Tally& other) {
  latency_ns.merge(other.latency_ns);
  answers.merge(other.answers);
  for (size_t kind = 0; kind < failures.size(); ++kind) failures[kind] += other.failures[kind];
  resent += other.resent;
  repeated += other.repeated;
  live.add(other.live);
  first_ns = first_ns == 0 ? other.first_ns : std::min(first_ns, other.first_ns);
  last_ns = std::max(last_ns, other.last_ns);
}

}  // namespace stampede::load
