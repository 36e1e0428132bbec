#include "load/tally.h"

#include <algorithm>

namespace stampede::load {

void NamedAnswers::Entry::record(uint64_t latency) {
  if (latency_ns == nullptr) latency_ns = std::make_unique<Histogram>();
  latency_ns->record(latency);
}

NamedAnswers::Entry& NamedAnswers::add(std::string_view name, uint64_t n) {
  for (size_t i = 0; i < size_; ++i) {
    if (entries_[i].name.view() != name) continue;
    entries_[i].count += n;
    return entries_[i];
  }
  if (size_ + 1 == kNamesMax) name = "(other)";  // the last cell takes all that came too late
  if (size_ < kNamesMax) entries_[size_++].name = Name(name.substr(0, 47));
  entries_[size_ - 1].count += n;
  return entries_[size_ - 1];
}

void NamedAnswers::merge(const NamedAnswers& other) {
  for (size_t i = 0; i < other.size_; ++i) {
    const Entry& more = other.entries_[i];
    Entry& entry = add(more.name, more.count);
    if (more.latency_ns == nullptr) continue;
    if (entry.latency_ns == nullptr) entry.latency_ns = std::make_unique<Histogram>();
    entry.latency_ns->merge(*more.latency_ns);
  }
}

const NamedAnswers::Entry* NamedAnswers::find(std::string_view name) const {
  for (size_t i = 0; i < size_; ++i)
    if (entries_[i].name.view() == name) return &entries_[i];
  return nullptr;
}

uint64_t NamedAnswers::operator[](std::string_view name) const {
  const Entry* entry = find(name);
  return entry == nullptr ? 0 : entry->count;
}

uint64_t NamedAnswers::total() const {
  uint64_t total = 0;
  for (size_t i = 0; i < size_; ++i) total += entries_[i].count;
  return total;
}

std::vector<const NamedAnswers::Entry*> NamedAnswers::by_count() const {
  std::vector<const Entry*> sorted;
  for (size_t i = 0; i < size_; ++i) sorted.push_back(&entries_[i]);
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const Entry* a, const Entry* b) { return a->count > b->count; });
  return sorted;
}

void Live::add(const Live& other) {
  bump(sent, other.sent);
  bump(answered, other.answered);
  bump(ended, other.ended);
  bump(sold, other.sold);
  bump(refused, other.refused);
  bump(failures, other.failures);
  bump(waiting, other.waiting);
}

void OwnWork::merge(const OwnWork& other) {
  cpu_ns += other.cpu_ns;
  busiest = std::max(busiest, other.busiest);
  late_ns.merge(other.late_ns);
  queued += other.queued;
}

void Tally::merge(const Tally& other) {
  latency_ns.merge(other.latency_ns);
  answers.merge(other.answers);
  own.merge(other.own);
  for (size_t kind = 0; kind < failures.size(); ++kind) failures[kind] += other.failures[kind];
  resent += other.resent;
  repeated += other.repeated;
  live.add(other.live);
  first_ns = first_ns == 0 ? other.first_ns : std::min(first_ns, other.first_ns);
  last_ns = std::max(last_ns, other.last_ns);
}

}  // namespace stampede::load
