// Where a shard's records go: its order log, as the pure part of a shard sees it.
#pragma once

#include "order.h"
#include "orderlog/record.h"
#include "stock/stream_state.h"

namespace stampede::stock {

class Journal {
 public:
  virtual ~Journal() = default;
  virtual Lsn append(const orderlog::Record& record) = 0;
  virtual bool has_room_for_order() const = 0;  // new reservations
  // Payments, cancels, expiries, returns: a reserve is kept for them.
  virtual bool has_room_for_change() const = 0;
};

// Appends a record that was decided in this state, and applies it; the record's number.
Lsn commit(Journal& journal, StreamState& state, const orderlog::Record& record, Moment now);
// The same for a reservation whose hashes are known.
Lsn commit(Journal& journal, StreamState& state, const orderlog::Reserve& record,
           OrderHashes hashes, Moment now);

}  // namespace stampede::stock
