// Connections that owe nobody an answer, in one line for each kind, the longest idle first: the first of the least needed
// kind is the one to close when a newcomer finds no place. Links by connection; all in constant time, nothing allocated.
#pragma once

#include <array>

#include "base/slab.h"
#include "net/net.h"

namespace stampede::shard {

// The least needed first. The first three are net::Rank, of what they asked for last; guests have asked for nothing yet
// (roster.h).
enum class IdleKind : uint8_t { usual, second, first, guest };
constexpr size_t kIdleKinds = 4;

constexpr IdleKind idle_kind_of(net::Rank rank) {
  switch (rank) {
    case net::Rank::usual:
      return IdleKind::usual;
    case net::Rank::second:
      return IdleKind::second;
    case net::Rank::first:
      return IdleKind::first;
  }
  CHECK(false);
}

class IdleLine {
 public:
  explicit IdleLine(uint32_t connections_max) : links_(connections_max) {}

  // kNone: nobody of this kind is idle.
  uint32_t first(IdleKind kind) const { return ends_[number(kind)].first; }
  bool holds(uint32_t index) const { return links_[index].is_in; }
  void push(uint32_t index, IdleKind kind) {
    CHECK(!holds(index));
    Ends& ends = ends_[number(kind)];
    links_[index] = {.previous = ends.last, .next = kNone, .is_in = true, .kind = kind};
    (ends.last == kNone ? ends.first : links_[ends.last].next) = index;
    ends.last = index;
  }
  void remove(uint32_t index) {
    Link& link = links_[index];
    if (!link.is_in) return;
    Ends& ends = ends_[number(link.kind)];
    (link.previous == kNone ? ends.first : links_[link.previous].next) = link.next;
    (link.next == kNone ? ends.last : links_[link.next].previous) = link.previous;
    link.is_in = false;
  }

 private:
  struct Link {
    uint32_t previous, next;
    bool is_in;
    IdleKind kind;
  };
  struct Ends {
    uint32_t first = kNone, last = kNone;
  };
  static constexpr size_t number(IdleKind kind) { return static_cast<size_t>(kind); }

  Reserved<Link> links_;
  std::array<Ends, kIdleKinds> ends_;
};

}  // namespace stampede::shard
