// Where a shard's time goes: the last thousand turns with the time of each phase, and the last of those that took longer than
// --slow-turn-us. GET /admin/turns shows them, a line tells of the slow ones, /metrics has the sums.
//
// What a turn decides goes by one moment, read once. How long it takes is another clock's to say, which is read at the end of
// each phase (some 25 ns, ten times a turn) and by which nothing is decided: a simulated world stays what its seed says.
//
// Turns are written by their shard's thread and read by any other at any moment. A ring is therefore of atomic words with one
// writer, which on x86 are plain loads and stores, and a reader leaves out what the writer has come upon meanwhile.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/histogram.h"
#include "bounds.h"
#include "shard/metrics.h"

namespace stampede::shard {

// In the order of Shard::tick(). `poll` is sleep and the wait for events; all others are work.
enum class TurnPhase : uint8_t {
  poll,
  requests,
  inbox,
  decide,
  time,
  ledger,
  log,
  operators,
  release,
  flush,
  publish,
};
constexpr unsigned kTurnPhases = static_cast<unsigned>(TurnPhase::publish) + 1;
[[nodiscard]] constexpr std::string_view name_of(TurnPhase phase) {
  constexpr std::string_view names[kTurnPhases] = {"poll",    "requests", "inbox",  "decide",
                                                   "time",    "ledger",   "log",    "operators",
                                                   "release", "flush",    "publish"};
  return names[static_cast<unsigned>(phase)];
}

struct Turn {
  uint64_t number = 0;  // from 1
  uint64_t ended_boot_ns = 0;
  uint64_t requests = 0;  // of buyers, read in this turn
  uint64_t records = 0;   // appended in it
  std::array<uint64_t, kTurnPhases> phase_ns{};

  [[nodiscard]] uint64_t of(TurnPhase phase) const {
    return phase_ns[static_cast<unsigned>(phase)];
  }
  // Without the sleep.
  [[nodiscard]] uint64_t work_ns() const;
};

// The last `capacity` of all that were pushed.
template <uint32_t capacity>
class TurnRing {
 public:
  // The writer.
  void push(const Turn& turn) {
    const uint64_t count = count_.load(std::memory_order_relaxed);
    const Words words = std::bit_cast<Words>(turn);
    Cell& cell = cells_[count % cells_.size()];
    for (size_t i = 0; i < words.size(); ++i) cell[i].store(words[i], std::memory_order_release);
    count_.store(count + 1, std::memory_order_release);
  }

  // Any thread. How many were pushed; the first has the number 0 here.
  [[nodiscard]] uint64_t count() const { return count_.load(std::memory_order_acquire); }
  // From this number on, the oldest first; those that are gone are left out.
  [[nodiscard]] std::vector<Turn> read(uint64_t from = 0) const {
    const uint64_t end = count();
    const uint64_t first = std::min(end, std::max(from, oldest_of(end)));
    std::vector<Turn> turns;
    for (uint64_t number = first; number < end; ++number) turns.push_back(at(number));
    // Whoever has read a word of a newer turn finds here that it was pushed, or is being pushed.
    const uint64_t whole = std::clamp(oldest_of(count()), first, end);
    turns.erase(turns.begin(), turns.begin() + static_cast<ptrdiff_t>(whole - first));
    return turns;
  }

 private:
  using Words = std::array<uint64_t, sizeof(Turn) / sizeof(uint64_t)>;
  using Cell = std::array<std::atomic<uint64_t>, sizeof(Turn) / sizeof(uint64_t)>;

  static uint64_t oldest_of(uint64_t count) { return count > capacity ? count - capacity : 0; }
  Turn at(uint64_t number) const {
    const Cell& cell = cells_[number % cells_.size()];
    Words words;
    for (size_t i = 0; i < words.size(); ++i) words[i] = cell[i].load(std::memory_order_acquire);
    return std::bit_cast<Turn>(words);
  }

  std::array<Cell, capacity + 1> cells_{};  // one more: the one that is being written
  std::atomic<uint64_t> count_{0};
};

// What one shard tells of its turns.
struct Turns {
  TurnRing<bounds::turns_kept> last;
  TurnRing<bounds::slow_turns_kept> slow;
  Histogram work_ns;
  std::array<Counter, kTurnPhases> phase_ns;  // sums
};

// The shard's side: says when a phase begins, and writes the turn down when it ends. Without a phase that is said, time belongs to
// the one before it; between two turns it is `poll`.
class TurnTimer {
 public:
  // `slow_ns`: turns with more work than this are slow; 0: none is.
  TurnTimer(Clock& clock, Turns& turns, int64_t slow_ns)
      : clock_(clock),
        turns_(turns),
        slow_ns_(static_cast<uint64_t>(slow_ns)),
        since_ns_(clock.boot_ns()) {}

  void enter(TurnPhase phase) { enter(phase, clock_.boot_ns()); }
  // At a moment that the caller has read.
  void enter(TurnPhase phase, int64_t boot_ns) {
    turn_.phase_ns[static_cast<unsigned>(phase_)] += static_cast<uint64_t>(boot_ns - since_ns_);
    phase_ = phase;
    since_ns_ = boot_ns;
  }
  // With the counts of requests and records since the start.
  void end(uint64_t requests, uint64_t records);

 private:
  Clock& clock_;
  Turns& turns_;
  const uint64_t slow_ns_;
  int64_t since_ns_;
  TurnPhase phase_ = TurnPhase::poll;
  Turn turn_;
  uint64_t requests_ = 0, records_ = 0;  // at the end of the last turn
};

}  // namespace stampede::shard
