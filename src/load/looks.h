// Requests that only look at an item, beside the orders: an open loop of its own, at one rate, as long as orders are sent.
// Each thread has its part.
#pragma once

#include <cstdint>

#include "load/backlog.h"
#include "load/pace.h"
#include "load/plan.h"

namespace stampede::load {

class Looks {
 public:
  Looks(const Plan& plan, Step step, double rate, uint32_t thread)
      : step_(step), thread_(thread), threads_(plan.threads), rate_(rate) {}

  // The moment of the next one, after the first moment of the schedule.
  int64_t due_ns() const {
    if (rate_ <= 0) return INT64_MAX;
    return moment_of(static_cast<double>(number()) * 1e9 / rate_);
  }
  uint64_t number() const { return next_ * threads_ + thread_; }  // among all threads'
  Step step() const { return step_; }
  void advance() { ++next_; }

 private:
  Step step_;
  uint64_t next_ = 0;
  uint64_t thread_, threads_;
  double rate_;  // a second, of all threads
};

}  // namespace stampede::load
