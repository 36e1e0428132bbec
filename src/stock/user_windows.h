// How many order requests each user has made in the window that runs now: `--rate-user`. Exact, in bounded memory.
//
// A window is fixed. It begins at a multiple of its length, shifted for each user by a hash of the name, so that users who
// were refused do not all come back at one moment. A count lives as long as its window; then its cell is free. So memory
// follows the users of one window and not those of the sale, and nothing has to be swept.
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
// Counts are in memory alone: a restart begins new windows. A change of the limit keeps all counts; a change of the window's length begins new windows. Owned by one thread.
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

  // Counts a request: 0. Or, when the user has had the `requests` of its window, how long that goes on; nothing is counted.
  // `user` is a keyed hash of the name.
  [[nodiscard]] int64_t count(uint64_t user, uint32_t requests, uint32_t window_ms, Moment now) {
    const int64_t now_ms = now.boot_ns / kMillisecond;
    const int64_t shift_ms = static_cast<int64_t>((user >> 20) % window_ms);
    const int64_t began_ms = now_ms - (now_ms + shift_ms) % window_ms;
    Cell& cell =
        cell_of(user, static_cast<uint32_t>(began_ms), window_ms, static_cast<uint32_t>(now_ms));
    if (cell.count >= requests) return (began_ms + window_ms) * kMillisecond - now.boot_ns;
    ++cell.count;
    return 0;
  }

  // Counts that were given up before their window was over.
  uint64_t forgotten() const { return forgotten_; }
  size_t cells() const { return cells_.capacity(); }

 private:
  struct Cell {
    uint64_t user;
    uint32_t began_ms;  // since boot, modulo 2^32 (50 days)
    uint32_t count;     // 0: free
  };
  static_assert(sizeof(Cell) == 16);

  Cell& cell_of(uint64_t user, uint32_t began_ms, uint32_t window_ms, uint32_t now_ms) {
    // The low bits have chosen the shard.
    const size_t first = ((user >> 32) & set_mask_) * kWays;
    size_t least = first;
    uint32_t least_count = UINT32_MAX;
    for (size_t at = first; at < first + kWays; ++at) {
      Cell& cell = cells_[at];
      if (cell.user == user && cell.count != 0) {
        if (cell.began_ms != began_ms) cell = {.user = user, .began_ms = began_ms, .count = 0};
        return cell;
      }
      const uint32_t count = now_ms - cell.began_ms >= window_ms ? 0 : cell.count;
      if (count >= least_count) continue;
      least = at;
      least_count = count;
    }
    forgotten_ += least_count != 0;
    cells_[least] = {.user = user, .began_ms = began_ms, .count = 0};
    return cells_[least];
  }

  Reserved<Cell> cells_;
  uint64_t set_mask_;
  uint64_t forgotten_ = 0;
};

}  // namespace stampede::stock
