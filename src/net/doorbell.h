// Wakes another shard's sleeping reactor. A shard that is awake looks into its mailboxes every
// turn, so most pushes need no wake-up at all: the bell is rung only for a sleeper, and then once
// for all the pushes of a turn. An eventfd write costs about 300 ns and the wake-up of a thread
// some microseconds, so under load it is nearly never rung.
//
// The protocol, for a queue Q (any that publishes with release and looks with acquire order):
//
//   sleeper                                        ringer
//     S1  lie_down(): is_sleeping_ = true            R1  push to Q
//     S2  fence, seq_cst (in lie_down)               R2  fence, seq_cst (in ring)
//     S3  look into Q once more; with anything       R3  is_sleeping_? then write the eventfd
//         there, do not sleep
//     S4  poll, then get_up(); drain() if the
//         bell's own event came
//
// Either S3 sees the push of R1 or R3 sees the `true` of S1: the two fences forbid that both miss.
// Without them each store could wait in its core's store buffer while the load passes it, and the
// order would lie in Q until the next event. A bell that rings between S3 and S4 is not lost,
// because the eventfd stays readable until it is drained.
//
// One shard owns a doorbell and watches `socket()`; any thread may ring.
#pragma once

#include <atomic>

#include "net/net.h"

namespace stampede::net {

class Doorbell {
 public:
  // Fatal without a descriptor: made once per shard at start.
  Doorbell();
  ~Doorbell();
  Doorbell(const Doorbell&) = delete;
  Doorbell& operator=(const Doorbell&) = delete;

  // What the owner watches with Interest::read.
  Socket socket() const { return eventfd_; }

  // The owner, before a poll that may sleep. Then it must look into its queues once more, and poll
  // without sleeping if it finds anything.
  void lie_down();
  // The owner, after that poll, however it ended.
  void get_up();
  // The owner, whenever an event of `socket()` comes, asleep or not: a ringer may be slow, and its
  // write then arrives after the sleeper was woken by something else.
  void drain();

  // Any thread, after it has pushed everything of its turn. True when the owner was asleep and has
  // been woken.
  bool ring();

 private:
  // Written true by the owner; false by the owner or by the one ringer that wakes it, so that a
  // second ringer saves the system call. The store of lie_down() pairs with the load of ring()
  // through their fences.
  alignas(64) std::atomic<bool> is_sleeping_{false};
  int eventfd_;
};

}  // namespace stampede::net
