// The statements that write our tables in PostgreSQL: any number of rows in one statement,
// which runs inside the open transaction. An Error: the connection's failure() has the reason.
// One thread, the connection's.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "drain/batch.h"
#include "postgres/connection.h"

namespace stampede::drain {

// How many rows the database took: fewer than there are when an order to be changed is not there, or
// when a trigger skipped one. In a rebuild rows replace those that are there.
Result<uint64_t> write_rows(postgres::Connection& connection, std::span<const NewOrder> orders,
                            bool is_rebuild);
Result<uint64_t> write_rows(postgres::Connection& connection, std::span<const OrderChange> changes,
                            bool is_rebuild);
Result<uint64_t> write_rows(postgres::Connection& connection, std::span<const NewPayment> payments,
                            bool is_rebuild);

struct Reject {
  StreamKey stream;
  Lsn lsn = 0;
  OrderId order;
  std::string_view reason, record;
  int64_t now_ms = 0;
};
Status write_reject(postgres::Connection& connection, const Reject& reject);

Status delete_rejects(postgres::Connection& connection, std::span<const int64_t> ids);

// Compare and set: false, and nothing changes, when the stored position is not the expected one.
Result<bool> move_position(postgres::Connection& connection, const Batch& batch, int64_t now_ms);

// The node was retired: nothing of it may be written any more. Otherwise it cannot be until the
// transaction ends.
Result<bool> has_order(postgres::Connection& connection, OrderId order);

Result<bool> is_retired(postgres::Connection& connection, uint32_t node);

}  // namespace stampede::drain
