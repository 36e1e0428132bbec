// What a stream and the ledger say to each other, and what the audit counts: plain values, absolute, so that any of them
// may be repeated or lost without harm.
//
//   stream ── LedgerAsk ──▶ ledger      what it was granted, gave back, holds unsold, and wants
//   stream ◀── LedgerNews ── ledger     what it has been granted by now, what is free, what others hold unsold
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
  // A: what the ledger has granted beyond it is unsold here, though this stream does not know it yet.
  Units accepted = 0;
  Units returned = 0;  // R, as far as it is durable
  Units pool = 0;      // units the stream holds unsold, those on their way back included
  Units want = 0;      // more units, please
};

// How an item stands in the ledger, for one stream.
struct LedgerNews {
  ItemId item = kNoItem;
  Units accepted = 0;        // a: units ever granted to this stream
  Units returned = 0;        // r: of them, back among the free ones
  Units free = 0;            // units that no stream holds
  Units pool_elsewhere = 0;  // units that other streams hold unsold
  bool is_unasked = false;   // not the answer to an ask: pushed because others have to know
};

// A stream's counters of one item at one moment, for the audit: A, R, H, P and A − R − H − P.
struct StreamCount {
  Units accepted = 0, returned = 0, reserved = 0, paid = 0, pool = 0;
};

// One line of the audit: total = free + leased + reserved + paid at one consistent cut.
struct AuditLine {
  ItemId item = kNoItem;
  Units total = 0, free = 0, leased = 0, reserved = 0, paid = 0;
  Units elsewhere = 0;  // shared ledger: what other nodes hold, reserved or sold
  bool is_ok = false;
};

}  // namespace stampede
