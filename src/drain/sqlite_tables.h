// The statements that write our tables in SQLite, prepared once for a connection.
//
// Each call is one statement inside the open transaction; it returns SQLITE_DONE or the
// code of the failure: SQLITE_NOTFOUND when it went well and took no row. One thread, the connection's.
#pragma once

#include "drain/batch.h"
#include "drain/sqlite_connection.h"

namespace stampede::drain {

enum class OnConflict { refuse, replace };

class SqliteTables {
 public:
  static Result<SqliteTables> prepare(SqliteConnection& connection);

  int insert(const NewOrder& order, OnConflict on_conflict);
  int insert(const NewPayment& payment, OnConflict on_conflict);
  int update(const OrderChange& change);
  bool has_order(OrderId order);
  int reject(const StreamKey& stream, Lsn lsn, OrderId order, std::string_view reason,
             std::string_view record, int64_t now_ms);

  int delete_reject(int64_t id);

  // Compare and set: `is_moved` is false, and nothing changes, when the stored position is not the
  // expected one.
  int move_position(const Batch& batch, int64_t now_ms, bool& is_moved);

 private:
  explicit SqliteTables(SqliteConnection& connection) : handle_(connection.handle()) {}

  int run(SqliteStatement& row);

  sqlite3* handle_;  // not owned
  SqliteStatement insert_order_, replace_order_, update_order_, insert_payment_, replace_payment_,
      insert_reject_, delete_reject_, insert_position_, update_position_, find_position_,
      find_order_;
};

}  // namespace stampede::drain
