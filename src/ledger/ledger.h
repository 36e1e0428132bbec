// The ledger seam: the one book of each item's free units, as a shard talks to it. Crossed once per turn.
//
// A shard has at most one exchange under way; an exchange names any number of items, each with absolute counters, so it
// may be repeated without harm. Answers come later, through poll().
#pragma once

#include <span>

#include "base/clock.h"
#include "order.h"

namespace stampede::ledger {

// The stream that leases units: implemented over the shard's desk.
class Client {
 public:
  virtual ~Client() = default;
  virtual void hear(const LedgerTell& tell) = 0;
  virtual StreamCount count(ItemId item) = 0;  // at this moment, all tells so far included
};

class Ledger {
 public:
  virtual ~Ledger() = default;

  // False while an exchange is under way or the ledger cannot be reached: then no exchange() may be started.
  [[nodiscard]] virtual bool is_ready() const = 0;
  // False: orders that wait for units are told `ledger_unavailable` instead of `try_again`.
  [[nodiscard]] virtual bool is_available() const = 0;
  virtual void exchange(std::span<const LedgerAsk> asks, Moment now) = 0;
  // Hands everything that has arrived to the client.
  virtual void poll(Client& client, Moment now) = 0;
};

}  // namespace stampede::ledger
