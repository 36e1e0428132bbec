// Orders that will be sent again: at once when their connection broke, after the server's
// retry_after_ms when it said "try again". The earliest first.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace stampede::load {

// One copy of a user's order on its way: 24 bytes.
struct Attempt {
  uint64_t user = 0;         // of this thread
  int64_t due_ns = 0;        // latency counts from here
  uint32_t repeats = 0;      // of retryable answers so far
  bool is_unknown = false;   // an answer was lost: the server may have taken this order
  bool is_measured = false;  // due after the warmup
};

class Backlog {
 public:
  void add(int64_t not_before_ns, const Attempt& attempt) {
    entries_.push_back({not_before_ns, attempt});
    std::push_heap(entries_.begin(), entries_.end(), later);
  }
  bool empty() const { return entries_.empty(); }
  size_t size() const { return entries_.size(); }
  int64_t earliest_ns() const {
    return entries_.empty() ? INT64_MAX : entries_.front().not_before_ns;
  }
  Attempt take() {
    std::pop_heap(entries_.begin(), entries_.end(), later);
    Attempt attempt = entries_.back().attempt;
    entries_.pop_back();
    return attempt;
  }

 private:
  struct Entry {
    int64_t not_before_ns;
    Attempt attempt;
  };
  static bool later(const Entry& a, const Entry& b) { return a.not_before_ns > b.not_before_ns; }

  std::vector<Entry> entries_;  // a heap; at most one entry for each copy of each user
};

}  // namespace stampede::load
