// Connections that something is to be done with in this turn or a later one, first come first served.
//
// Holds cells, not their owners: a cell stands in it at most once, also when the connection that put it there has closed
// and another one has taken the cell. Whoever takes a cell out asks what its owner of now needs. Were a cell in it twice,
// one answer would be written twice.
#pragma once

#include <cstdint>
#include <vector>

#include "base/check.h"

namespace stampede::shard {

class TurnList {
 public:
  explicit TurnList(uint32_t cells_max) : holds_(cells_max) {}

  bool empty() const { return first_ == cells_.size(); }
  size_t size() const { return cells_.size() - first_; }
  // Nothing happens when it is in already.
  void add(uint32_t cell) {
    if (holds_[cell]) return;
    holds_[cell] = true;
    cells_.push_back(cell);
  }
  uint32_t take() {
    CHECK(!empty());
    const uint32_t cell = cells_[first_++];
    holds_[cell] = false;
    // Each cell is moved once at most for every one that was taken.
    if (first_ * 2 >= cells_.size()) {
      cells_.erase(cells_.begin(), cells_.begin() + static_cast<ptrdiff_t>(first_));
      first_ = 0;
    }
    return cell;
  }

 private:
  std::vector<bool> holds_;  // by cell
  std::vector<uint32_t> cells_;
  size_t first_ = 0;
};

}  // namespace stampede::shard
