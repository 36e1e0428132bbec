// The answers, counted: every answer by its code, every failure of a connection by its kind,
// latencies. One thread counts; other threads may read `live` and `latency_ns` at any time, the
// rest when that thread has ended.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/histogram.h"
#include "base/text.h"

namespace stampede::load {

// Answers by their code, under names that are found out on the way. There are some thirty codes; the
// bound only guards against a server that invents them.
class NamedAnswers {
 public:
  static constexpr size_t kNamesMax = 64;
  using Name = Text<47>;
  struct Entry {
    Name name;
    uint64_t count = 0;
    std::unique_ptr<Histogram> latency_ns;  // of the measured ones; null: none was

    void record(uint64_t latency);
  };

  Entry& add(std::string_view name, uint64_t n = 1);
  void merge(const NamedAnswers& other);
  const Entry* find(std::string_view name) const;  // null: no such answer came
  uint64_t operator[](std::string_view name) const;
  uint64_t total() const;
  std::vector<const Entry*> by_count() const;  // the largest first

 private:
  std::array<Entry, kNamesMax> entries_{};
  size_t size_ = 0;
};

enum class Failure : uint8_t {
  connect_failed,    // a connection could not be opened, or was closed as soon as it was
  connection_lost,   // closed or reset while answers were owed
  answer_timeout,    // no answer in time
  malformed_answer,  // not HTTP as the server writes it
};
constexpr std::array kFailureNames = {"connect_failed", "connection_lost", "answer_timeout",
                                      "malformed_answer"};

inline void bump(std::atomic<uint64_t>& counter, uint64_t n = 1) {  // one writer
  counter.store(counter.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
}

// For the progress line; written by the counting thread, relaxed.
struct Live {
  std::atomic<uint64_t> sent{0};
  std::atomic<uint64_t> answered{0};
  std::atomic<uint64_t> ended{0};     // orders that will not be sent again, with any outcome
  std::atomic<uint64_t> sold{0};      // users that hold an order
  std::atomic<uint64_t> refused{0};   // answers that are final and no order
  std::atomic<uint64_t> failures{0};  // of connections
  std::atomic<uint64_t> waiting{0};   // orders that will be sent again

  void add(const Live& other);
};

// The figures that show whether the server was measured, or the generator: how busy its threads were, and how
// late they sent due requests. A request that had to wait for a connection is not late by its
// thread's fault.
struct OwnWork {
  int64_t cpu_ns = 0;   // since the warmup ended, of all threads
  double busiest = 0;   // of the busiest thread: the part of its time for which it had a CPU's work
  Histogram late_ns;    // at a rate: from the moment an order was due until it was written
  uint64_t queued = 0;  // orders that were due while every connection was full

  void merge(const OwnWork& other);
};

struct Tally {
  Live live;
  Histogram latency_ns;  // of measured answers to orders
  NamedAnswers answers;  // to all measured requests
  OwnWork own;
  std::array<uint64_t, kFailureNames.size()> failures{};
  uint64_t resent = 0;    // orders sent again because their connection broke
  uint64_t repeated = 0;  // orders sent again because the answer was retryable
  int64_t first_ns = 0;   // when measuring began
  int64_t last_ns = 0;    // the last measured answer

  void merge(const Tally& other);
};

}  // namespace stampede::load
