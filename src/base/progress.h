// How far a long piece of work has come: its name, percent, and when it will be done.
//
//   reading the order log: 42 %, 3 s left
//
// The working thread adds the work that is done; any other thread looks. One piece of work at a time.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace stampede {

class Progress {
 public:
  // `what` is static text; the total may grow meanwhile. The work that was begun before has ended.
  void begin(const char* what, uint64_t total = 0);
  void grow(uint64_t more) { total_.fetch_add(more, std::memory_order_relaxed); }
  void add(uint64_t done) { done_.fetch_add(done, std::memory_order_relaxed); }
  void set_done(uint64_t done) { done_.store(done, std::memory_order_relaxed); }
  void end() { what_.store(nullptr, std::memory_order_release); }

  struct Look {
    const char* what = nullptr;
    double percent = 0;
    std::optional<double> seconds_left;  // after a second of work
  };
  // Nothing: there is no such work now.
  [[nodiscard]] std::optional<Look> look() const;

 private:
  std::atomic<const char*> what_{nullptr};
  std::atomic<uint64_t> total_{0}, done_{0};
  std::atomic<int64_t> began_ns_{0};
};

[[nodiscard]] std::string text_of(const Progress::Look& look);

// Writes to stderr how far it is, while this lives: on a terminal in one line that is drawn again, otherwise in a line every ten
// seconds (base/diag.h). Nothing is written of work that takes less than a second. Has a thread of its own.
class ProgressLines {
 public:
  explicit ProgressLines(const Progress& progress);
  ~ProgressLines();
  ProgressLines(const ProgressLines&) = delete;

 private:
  void run();
  void draw(const std::string& line);

  const Progress& progress_;
  const bool is_terminal_;
  bool is_drawn_ = false;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_ending_ = false;  // under the mutex
  std::thread thread_;
};

}  // namespace stampede
