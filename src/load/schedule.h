// The moment of each request. The load is open: each request is due at a moment after the start (pace.h), however late the
// answers are, and latency is counted from that moment. A closed loop waits for a slow server before it asks
// again and so leaves out exactly the waiting that a crowd would have felt ("coordinated
// omission").
//
// Users are dealt out to the threads in turn, so that all copies of one user's order, and the book
// about that user, belong to one thread; together the threads keep the plan's rate. With a duration,
// users begin again from the first when all had their turn: they then ask under the key that they
// already used.
#pragma once

#include <algorithm>
#include <cstdint>

#include "load/pace.h"

namespace stampede::load {

class Schedule {
 public:
  Schedule(const Plan& plan, uint32_t thread)
      : copies_(plan.copies),
        threads_(plan.threads),
        thread_(thread),
        all_users_(plan.users),
        users_(plan.users / plan.threads + (thread < plan.users % plan.threads)),
        requests_(plan.duration_ns > 0 && users_ > 0 ? UINT64_MAX : users_ * plan.copies),
        pace_(plan) {}

  uint64_t users() const { return users_; }  // of this thread, numbered from 0
  bool has_request(uint64_t request) const { return request < requests_; }

  // Of this thread's `request`, counted from 0: the thread's user, and when it is due in ns after
  // the start.
  uint64_t user_of(uint64_t request) const { return request / copies_ % users_; }
  int64_t due_ns(uint64_t request) const {
    return pace_.due_ns((request / copies_ * threads_ + thread_) * copies_ + request % copies_);
  }

  // How many of this thread's are due before that moment, which is after the start.
  uint64_t requests_before(int64_t ns) const {
    uint64_t first = 0, last = std::min(requests_, kRequestsMax);
    while (first < last) {
      const uint64_t middle = first + (last - first) / 2;
      if (due_ns(middle) < ns)
        first = middle + 1;
      else
        last = middle;
    }
    return first;
  }
  // Of all threads' last request, when there is a last one.
  int64_t last_due_ns() const { return pace_.due_ns(all_users_ * copies_ - 1); }

  // The number of a thread's user in the whole run, and back.
  uint64_t number_of(uint64_t user) const { return user * threads_ + thread_; }

 private:
  static constexpr uint64_t kRequestsMax = uint64_t{1} << 50;  // more than anybody sends

  uint64_t copies_, threads_, thread_;
  uint64_t all_users_, users_;
  uint64_t requests_;
  Pace pace_;
};

}  // namespace stampede::load
