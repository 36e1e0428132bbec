// Connections that owe nobody an answer, the longest idle first: the first is the one to close when a newcomer finds no
// place. Links by connection; all in constant time, nothing allocated.
#pragma once

#include "base/slab.h"

namespace stampede::shard {

class IdleLine {
 public:
  explicit IdleLine(uint32_t connections_max) : links_(connections_max) {}

  // kNone: nobody is idle.
  uint32_t first() const { return first_; }
  bool holds(uint32_t index) const { return links_[index].is_in; }
  void push(uint32_t index) {
    CHECK(!holds(index));
    links_[index] = {.previous = last_, .next = kNone, .is_in = true};
    (last_ == kNone ? first_ : links_[last_].next) = index;
    last_ = index;
  }
  void remove(uint32_t index) {
    Link& link = links_[index];
    if (!link.is_in) return;
    (link.previous == kNone ? first_ : links_[link.previous].next) = link.next;
    (link.next == kNone ? last_ : links_[link.next].previous) = link.previous;
    link.is_in = false;
  }

 private:
  struct Link {
    uint32_t previous, next;
    bool is_in;
  };
  Reserved<Link> links_;
  uint32_t first_ = kNone, last_ = kNone;
};

}  // namespace stampede::shard
