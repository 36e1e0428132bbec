// The messages between a stream and the ledger, and the audit's counts: plain values, absolute, so that any of them
// may be repeated or lost without harm.
//
//   stream ── LedgerAsk ──▶ ledger      units that it was granted, gave back, holds unsold, and wants
//   stream ◀── LedgerNews ── ledger     units that it has been granted by now, that are free, that others hold unsold
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/hash.h"
#include "order.h"

namespace stampede {

// A ledger keeps its items in groups, and a stream has at most one exchange per group under way; one group where nothing is
// gained by more. Sets of groups are bits.
inline uint32_t group_of(std::string_view item, uint32_t group_count) {
  if (group_count == 1) return 0;
  return static_cast<uint32_t>(checksum(std::as_bytes(std::span(item))) % group_count);
}

// One stream's line of an exchange, about one item.
struct LedgerAsk {
  ItemId item = kNoItem;
  uint32_t group = 0;  // of the item
  // A: granted units that this stream has logged. What the ledger has granted beyond them counts as unsold here.
  Units accepted = 0;
  Units returned = 0;  // R, as far as it is durable
  Units pool = 0;      // units the stream holds unsold, those on their way back included
  Units want = 0;      // more units, please
};

// The ledger's counters of an item, for one stream.
struct LedgerNews {
  ItemId item = kNoItem;
  Units accepted = 0;        // a: units ever granted to this stream
  Units returned = 0;        // r: of them, back among the free ones
  Units free = 0;            // units that no stream holds
  Units pool_elsewhere = 0;  // units that other streams hold unsold
  bool is_unasked = false;   // pushed to a stream that asked before; not the answer to an ask
};

// A stream's counters of one item at one moment, for the audit. Of the units that it accepted some were returned, some are
// reserved (H), some paid (P), and the rest is its pool.
struct StreamCount {
  Units accepted = 0, returned = 0, reserved = 0, paid = 0, pool = 0;
};

// One line of the audit: total = free + leased + reserved + paid + elsewhere at one consistent cut.
struct AuditLine {
  ItemId item = kNoItem;
  Units total = 0, free = 0, leased = 0, reserved = 0, paid = 0;
  Units elsewhere = 0;  // shared ledger: units that other nodes hold, reserved or sold
  bool is_ok = false;
};

}  // namespace stampede
