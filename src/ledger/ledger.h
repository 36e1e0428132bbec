// The ledger seam: the one book of each item's free units, as a shard talks to it. Crossed once per turn.
//
// A shard has at most one exchange of a group under way; an exchange names any number of items, each with absolute
// counters, so it may be repeated without harm. Answers come later, through poll().
//
// Two ledgers: embedded in the process (embedded.h), or in a Redis that many nodes share (cluster/redis_ledger.h). A comment
// that begins with "Shared ledger" is about methods that only the second needs, such as a promise before each epoch. Only it has
// a socket on the shard's reactor.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "ledger/messages.h"
#include "net/net.h"

namespace stampede::ledger {

// The stream that leases units: implemented over the shard's desk and its order log.
class Client {
 public:
  virtual ~Client() = default;
  virtual void take_news(const LedgerNews& news) = 0;
  virtual StreamCount count(ItemId item) = 0;  // at this moment, with all news so far

  // Shared ledger: logs that no grant of an earlier epoch will be accepted; the record's number. nullopt: the stream's log
  // is sealed, and it promises nothing any more.
  virtual std::optional<Lsn> promise(uint64_t epoch) = 0;
  virtual Lsn durable() const = 0;
  // Shared ledger: the durable counters of an item that the stream has had to do with, and which items these are.
  virtual StreamCount durable_count(ItemId item) const = 0;
  virtual ItemId items_touched() const = 0;  // ids below this one may be
  virtual std::string_view code_of(ItemId item) const = 0;
  // Shared ledger: exchanges can be made (again) about the items of these groups. Earlier asks may not have arrived, nor grants
  // of the ledger here: ask about every item of them.
  virtual void on_open(uint32_t groups, uint32_t stream_count) = 0;
};

class Ledger {
 public:
  virtual ~Ledger() = default;

  // How many groups there are (group_of in messages.h).
  [[nodiscard]] virtual uint32_t group_count() const = 0;
  // Groups whose ledger can be reached and that have no exchange under way: exchange() may be about their items.
  [[nodiscard]] virtual uint32_t ready_groups() const = 0;
  // Orders that wait for units of another group are answered `ledger_unavailable` instead of `try_again`.
  [[nodiscard]] virtual uint32_t available_groups() const = 0;
  // Asks of one group are next to each other.
  virtual void exchange(Client& client, std::span<const LedgerAsk> asks, Moment now) = 0;
  // Hands everything that has arrived to the client.
  virtual void poll(Client& client, Moment now) = 0;

  // Something has arrived that poll() would take.
  [[nodiscard]] virtual bool has_mail() const = 0;
  // Shards that were sent something since the last call, a bit each: their doorbells must be rung.
  virtual uint64_t take_touched() = 0;
  // Events of the ledger's own socket, for a token that is_mine().
  [[nodiscard]] virtual bool is_mine(uint64_t) const { return false; }
  virtual void on_event(const net::Event&) {}
  // The moment before which poll() has nothing to do without an event.
  [[nodiscard]] virtual int64_t quiet_until_ns() const {
    return std::numeric_limits<int64_t>::max();
  }
};

}  // namespace stampede::ledger
