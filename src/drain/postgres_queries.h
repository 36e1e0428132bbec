// Queries of our tables in PostgreSQL, as stored_rows.h wants them. Times are read as milliseconds
// and rendered here, so that they are the texts that SQLite has.
#pragma once

#include "drain/row_text.h"
#include "postgres/connection.h"

namespace stampede::drain {

class PostgresRow {
 public:
  PostgresRow(const postgres::Rows& rows, size_t row) : rows_(rows), row_(row) {}
  std::string text(int column) const { return std::string(rows_.text(row_, column)); }
  int64_t integer(int column) const { return rows_.integer(row_, column); }
  std::string time(int column) const { return std::string(TimeText(integer(column)).view()); }
  bool is_null(int column) const { return rows_.is_null(row_, column); }

 private:
  const postgres::Rows& rows_;
  size_t row_;
};

class PostgresQueries {
 public:
  using Connection = postgres::Connection;
  explicit PostgresQueries(Connection& connection) : connection_(connection) {}

  static std::string time(const char* column) {
    std::string text = "(extract(epoch FROM ";
    return text.append(column).append(")*1000)::bigint");
  }

  template <typename OnRow, typename... Values>
  Status each_row(const std::string& sql, OnRow on_row, const Values&... values) {
    postgres::Parameters parameters;
    (parameters.add(values), ...);
    const Result<postgres::Rows> rows = connection_.execute(sql.c_str(), parameters);
    if (!rows) return rows.error();
    for (size_t row = 0; row < rows->size(); ++row)
      if (Status status = on_row(PostgresRow(*rows, row)); !status) return status;
    return Ok{};
  }

 private:
  Connection& connection_;
};

}  // namespace stampede::drain
