// What one shard knows of one item, for an operator's graphs: units, as they are now and as they went since the start.
#pragma once

#include <cstdint>

#include "order.h"

namespace stampede::stock {

// Units that came and went at one desk since the process began.
struct ItemEvents {
  Units sold = 0;  // taken by orders, paid for later or not
  Units cancelled = 0;
  Units expired = 0;
};

struct ItemFigures {
  Units held = 0;  // of the ledger: leased, reserved or paid
  Units leased = 0;
  Units reserved = 0;
  Units paid = 0;
  Units waiting = 0;  // asked for by requests in the item's line
  ItemEvents events;
  // Free units by the ledger's last news, and when it came; 0: never.
  Units free = 0;
  int64_t news_boot_ns = 0;

  // Two shards together: the units add up, and the later news is the better one.
  ItemFigures& operator+=(const ItemFigures& other) {
    held += other.held;
    leased += other.leased;
    reserved += other.reserved;
    paid += other.paid;
    waiting += other.waiting;
    events.sold += other.events.sold;
    events.cancelled += other.events.cancelled;
    events.expired += other.events.expired;
    if (other.news_boot_ns > news_boot_ns) {
      news_boot_ns = other.news_boot_ns;
      free = other.free;
    }
    return *this;
  }
};

}  // namespace stampede::stock
