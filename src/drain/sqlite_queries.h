// Queries of our tables in SQLite, as stored_rows.h wants them.
#pragma once

#include "drain/sqlite_connection.h"

namespace stampede::drain {

class SqliteRow {
 public:
  explicit SqliteRow(const SqliteStatement& statement) : statement_(statement) {}
  std::string text(int column) const { return statement_.text(column); }
  int64_t integer(int column) const { return statement_.integer(column); }
  std::string time(int column) const { return text(column); }
  bool is_null(int column) const { return statement_.is_null(column); }

 private:
  const SqliteStatement& statement_;
};

class SqliteQueries {
 public:
  using Connection = SqliteConnection;
  explicit SqliteQueries(Connection& connection) : connection_(connection) {}

  static std::string time(const char* column) { return column; }

  template <typename OnRow, typename... Values>
  Status each_row(const std::string& sql, OnRow on_row, const Values&... values) {
    Result<SqliteStatement> query = connection_.prepare(sql.c_str());
    if (!query) return query.error();
    query->bind(values...);
    int code;
    while ((code = query->next()) == SQLITE_ROW)
      if (Status status = on_row(SqliteRow(*query)); !status) return status;
    if (code != SQLITE_DONE) return connection_.error();
    return Ok{};
  }

 private:
  Connection& connection_;
};

}  // namespace stampede::drain
