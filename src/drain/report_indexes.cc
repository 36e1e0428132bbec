#include "drain/report_indexes.h"

#include <array>
#include <string>

#include "base/check.h"
#include "base/clock.h"
#include "drain/sqlite_connection.h"
#include "postgres/connection.h"

namespace stampede::drain {
namespace {

using postgres::Connection;
using postgres::Rows;

struct ReportIndex {
  const char* name;
  const char* columns;
};
constexpr std::array kReportIndexes = {
    ReportIndex{"orders_by_item", "orders(item, state)"},
    ReportIndex{"orders_by_user", "orders(user_id)"},
    ReportIndex{"orders_by_time", "orders(created_at)"},
    ReportIndex{"payments_by_time", "payments(received_at)"},
};

using OnIndex = std::function<void(std::string_view)>;

constexpr int kSqliteBusyMs = 60'000;
// An index over hundreds of millions of rows takes an hour or more.
constexpr int64_t kPatienceMs = 24 * 3'600'000;

Status make_in_sqlite(const std::string& path, const OnIndex& on_index) {
  Result<SqliteConnection> opened =
      SqliteConnection::open(path, SQLITE_OPEN_READWRITE, kSqliteBusyMs);
  if (!opened) return opened.error();
  for (const auto& [name, columns] : kReportIndexes) {
    on_index(name);
    const std::string sql = std::string("CREATE INDEX IF NOT EXISTS ") + name + " ON " + columns;
    if (opened->execute(sql.c_str()) != SQLITE_OK) return opened->error();
  }
  return Ok{};
}

Status run(Connection& connection, const std::string& sql) {
  const Result<Rows> done = connection.execute_alone(sql.c_str());
  if (!done) return Error{connection.name() + ": " + connection.failure().message};
  return Ok{};
}

// Drops the index of a build that was broken off: it serves no query, and each row goes into it all the same.
Status drop_if_unfinished(Connection& connection, const std::string& name) {
  const std::string sql =
      "SELECT FROM pg_index WHERE indexrelid=to_regclass('" + name + "') AND NOT indisvalid";
  const Result<Rows> unfinished = connection.execute(sql.c_str());
  if (!unfinished) return Error{connection.name() + ": " + connection.failure().message};
  return unfinished->size() == 0 ? Status(Ok{})
                                 : run(connection, "DROP INDEX CONCURRENTLY " + name);
}

Status make_in_postgres(const std::string& url, const OnIndex& on_index) {
  Result<Connection> opened =
      Connection::open(url, {.statement_ms = kPatienceMs, .silence_ms = kPatienceMs});
  if (!opened) return opened.error();
  for (const auto& [name, columns] : kReportIndexes) {
    on_index(name);
    if (Status dropped = drop_if_unfinished(*opened, name); !dropped) return dropped;
    const std::string sql =
        std::string("CREATE INDEX CONCURRENTLY IF NOT EXISTS ") + name + " ON " + columns;
    if (Status made = run(*opened, sql); !made) return made;
  }
  return Ok{};
}

}  // namespace

Status make_report_indexes(const DatabaseUrl& url, const OnIndex& on_index) {
  CHECK(url.kind != DatabaseUrl::Kind::none);
  return url.kind == DatabaseUrl::Kind::sqlite ? make_in_sqlite(url.path, on_index)
                                               : make_in_postgres(url.url, on_index);
}

}  // namespace stampede::drain
