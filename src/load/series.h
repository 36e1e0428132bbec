// A run second by second: the orders that were sent, answered and sold in each, and the latencies of those that were
// answered in it. Made by the thread that watches the run, from the counters that it may read of running generators (tally.h).
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "load/run.h"

namespace stampede::load {

// About a second: from the end of the one before.
struct Second {
  double end_s = 0;  // since the first moment of the schedule
  double length_s = 0;
  uint64_t sent = 0, answered = 0;
  uint64_t sold = 0, refused = 0;  // answers that brought a user an order, or ended its wish
  uint64_t failures = 0;           // connections that broke
  uint64_t waiting = 0;            // at its end: requests that will be sent again
  uint64_t measured =
      0;  // answers to orders, without those of the warmup; the latencies are theirs
  uint64_t p50_ns = 0, p99_ns = 0, max_ns = 0;

  [[nodiscard]] double rate() const {
    return length_s > 0 ? static_cast<double>(answered) / length_s : 0;
  }
};

class Series {
 public:
  explicit Series(const Run& run);

  // Ends the second that runs, `since_begin_ns` after the first moment. Valid until the next call.
  const Second& close_second(int64_t since_begin_ns);

  const std::vector<Second>& seconds() const { return seconds_; }
  int64_t end_ns() const { return end_ns_; }  // of the last second
  // Since the begin, and of the last second alone, as they were at its end.
  const Live& live() const { return *live_; }
  const Histogram& latency_ns() const { return *latency_ns_; }
  const Histogram& second_latency_ns() const { return *second_latency_ns_; }

 private:
  const Run& run_;
  std::vector<Second> seconds_;
  int64_t end_ns_ = 0;
  std::unique_ptr<Live> live_;
  std::unique_ptr<Histogram> latency_ns_, second_latency_ns_;
};

}  // namespace stampede::load
