// How many order requests each user has made in the window that runs now: `--rate-user`. Exact, in bounded memory.
//
// A window is fixed: it begins with the first request that is counted and lasts so long, so that exactly so many requests
// pass in it. A count lives as long as its window; then its cell is free. So memory follows the users of one window and not
// those of the sale, and nothing has to be swept.
//
//   hash of the user ──▶ one set of 8 cells (two cache lines)   cell: {user's hash, beginning of the window, count}
//
// Users are told apart by a 64-bit keyed hash that they cannot choose: among ten million, two share one with a chance of
// 1 in 370,000. Where a ninth user of one window meets a full set, the cell with the least count is given up: its user
// begins again at 0. So nobody is ever refused for another one's requests, and what is forgotten is the least there is:
// to have his full count forgotten, an attacker would need eight further users of his own at their limit in the same set,
// which he cannot aim at, and would gain less than those eight may do anyway. A process has 2^24 cells (256 MiB of address
// space, touched as they are used): with ten million users in one window some 2 % lose a count of one or so; with a
// million, none. Measured in test/unit/stock/user_windows_test.cc.
//
// Counts are in memory alone: a restart begins new windows. A change of the limit, or of the window's length, keeps counts and
// beginnings. Beginnings are kept modulo 198 days. Owned by one thread.
#pragma once

#include <bit>
#include <cstdint>

#include "base/clock.h"
#include "base/reserved.h"
#include "bounds.h"

namespace stampede::stock {

class UserWindows {
 public:
  static constexpr size_t kWays = 8;

  // For one of `shards` that deal out the users among them.
  explicit UserWindows(uint32_t shards)
      : cells_(std::bit_floor(bounds::user_window_cells / shards)),
        set_mask_(cells_.capacity() / kWays - 1) {}

  // A count of this user is to come.
  void prefetch(uint64_t user) const {
    const Cell* const set = &cells_[first_of(user)];
    __builtin_prefetch(set);
    __builtin_prefetch(set + kWays / 2);
  }

  // Counts a request: 0. Or, when the user has had the `requests` of its window, how long that goes on; nothing is counted.
  // `user` is a keyed hash of the name.
  [[nodiscard]] int64_t count(uint64_t user, uint32_t requests, uint32_t window_ms, Moment now) {
    const auto now_ms = static_cast<uint64_t>(now.boot_ns / kMillisecond);
    Cell& cell = cell_of(user, now_ms, window_ms);
    if (cell.count < requests) {
      ++cell.count;
      return 0;
    }
    const auto left_ms = static_cast<int64_t>(window_ms - age_ms(cell, now_ms));
    return left_ms * kMillisecond - now.boot_ns % kMillisecond;
  }

  // Counts that were given up before their window was over.
  uint64_t forgotten() const { return forgotten_; }
  size_t cells() const { return cells_.capacity(); }

 private:
  static constexpr unsigned kMomentBits = 34;
  static constexpr uint64_t kMomentMask = (uint64_t{1} << kMomentBits) - 1;
  struct Cell {
    uint64_t user;
    uint64_t began_ms : kMomentBits;    // since boot
    uint64_t count : 64 - kMomentBits;  // 0: free
  };
  static_assert(sizeof(Cell) == 16);
  static_assert(bounds::rate_requests_max < uint64_t{1} << (64 - kMomentBits));

  static uint64_t age_ms(const Cell& cell, uint64_t now_ms) {
    return (now_ms - cell.began_ms) & kMomentMask;
  }

  // The low bits have chosen the shard.
  size_t first_of(uint64_t user) const { return ((user >> 32) & set_mask_) * kWays; }

  // The user's cell, with the count of the window that runs.
  Cell& cell_of(uint64_t user, uint64_t now_ms, uint32_t window_ms) {
    const size_t first = first_of(user);
    size_t least = first;
    uint64_t least_count = UINT64_MAX;
    for (size_t at = first; at < first + kWays; ++at) {
      Cell& cell = cells_[at];
      const uint64_t count = age_ms(cell, now_ms) < window_ms ? cell.count : 0;
      if (cell.user == user && count != 0) return cell;
      if (count >= least_count) continue;
      least = at;
      least_count = count;
    }
    forgotten_ += least_count != 0;
    cells_[least] = {.user = user, .began_ms = now_ms & kMomentMask, .count = 0};
    return cells_[least];
  }

  Reserved<Cell> cells_;
  uint64_t set_mask_;
  uint64_t forgotten_ = 0;
};

}  // namespace stampede::stock
