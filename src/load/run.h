// One run: its generators on their threads, and their results together. Belongs to the thread
// that made it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "load/generator.h"

namespace stampede::load {

// How many users ended in which way; their sum is the plan's users.
using UserCounts = std::array<uint64_t, kUserEndCount>;

class Run {
 public:
  Run(const Plan& plan, Clock& clock);
  ~Run();  // stops and waits

  void begin();
  void stop() { start_.is_stopping = true; }  // ends within a few seconds
  // Waits at most this long; true when all has its end.
  bool wait(std::chrono::milliseconds time);

  // The first moment of the schedule; 0 while connections are opened.
  int64_t begin_ns() const { return start_.at_ns; }
  uint32_t connections_open() const { return start_.connections_open; }  // until then
  // At any time: adds the counts so far.
  void add_live(Live& live, Histogram& latency_ns) const;

  // Waits for the end and gathers the rest. An error when the server could not be reached.
  Status finish();
  const Tally& tally() const { return tally_; }
  const UserCounts& users() const { return users_; }
  uint64_t unsent() const { return unsent_; }

  // By the user's number in the run.
  UserEnd end_of(uint64_t number) const { return book_of(number).end_of(number / plan_.threads); }
  OrderId order_of(uint64_t number) const {
    return book_of(number).order_of(number / plan_.threads);
  }
  OrderEnd order_end_of(uint64_t number) const {
    return book_of(number).order_end_of(number / plan_.threads);
  }
  uint64_t second_orders() const { return second_orders_; }

 private:
  const UserBook& book_of(uint64_t number) const {
    return generators_[number % plan_.threads]->book();
  }
  void gather();

  const Plan& plan_;
  Start start_;
  std::vector<std::unique_ptr<Generator>> generators_;
  std::vector<Status> statuses_;
  std::vector<std::thread> threads_;
  std::mutex mutex_;
  std::condition_variable done_;
  uint32_t threads_done_ = 0;  // under mutex_
  Tally tally_;
  UserCounts users_{};
  uint64_t unsent_ = 0;
  uint64_t second_orders_ = 0;
};

}  // namespace stampede::load
