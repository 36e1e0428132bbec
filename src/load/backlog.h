// Requests that will be sent again: at once when their connection broke, after the server's
// retry_after_ms when it answered "try again". Payments and cancels wait here for their turn, too. The
// earliest first.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace stampede::load {

// The request of a user: the second and third are about the order that the user holds, the last two only look, and are not
// repeated when their answer was lost.
enum class Step : uint8_t { order, pay, cancel, page, stock };

constexpr bool only_looks(Step step) {
  return step == Step::page || step == Step::stock;
}

// One request of a user on its way.
struct Attempt {
  uint64_t user = 0;     // of this thread; of a request that only looks: how many did before
  int64_t due_ns = 0;    // latency counts from here
  uint32_t repeats = 0;  // after retryable answers and lost ones, so far
  Step step = Step::order;
  bool is_unknown = false;   // an answer was lost: the server may have done it
  bool is_measured = false;  // an order due after the warmup
};
static_assert(sizeof(Attempt) == 24);

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

  std::vector<Entry> entries_;  // a heap; at most an entry for each copy of each user and one more
};

}  // namespace stampede::load
