#include "load/series.h"

#include <utility>

namespace stampede::load {

Series::Series(const Run& run)
    : run_(run),
      live_(std::make_unique<Live>()),
      latency_ns_(std::make_unique<Histogram>()),
      second_latency_ns_(std::make_unique<Histogram>()) {}

const Second& Series::close_second(int64_t since_begin_ns) {
  const auto before = std::exchange(live_, std::make_unique<Live>());
  const auto latency_before = std::exchange(latency_ns_, std::make_unique<Histogram>());
  run_.add_live(*live_, *latency_ns_);
  second_latency_ns_->assign_difference(*latency_ns_, *latency_before);
  Second second{.end_s = static_cast<double>(since_begin_ns) / 1e9,
                .length_s = static_cast<double>(since_begin_ns - end_ns_) / 1e9,
                .sent = live_->sent - before->sent,
                .answered = live_->answered - before->answered,
                .sold = live_->sold - before->sold,
                .refused = live_->refused - before->refused,
                .failures = live_->failures - before->failures,
                .waiting = live_->waiting};
  second.measured = second_latency_ns_->count();
  second.p50_ns = second_latency_ns_->percentile(50);
  second.p99_ns = second_latency_ns_->percentile(99);
  second.max_ns = second_latency_ns_->max();
  end_ns_ = since_begin_ns;
  seconds_.push_back(second);
  return seconds_.back();
}

}  // namespace stampede::load
