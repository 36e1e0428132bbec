// The checkers' view of a SQLite database: one read transaction, pages by key.
#include "drain/sqlite.h"
#include "drain/sqlite_queries.h"
#include "drain/sqlite_schema.h"
#include "drain/stored_rows.h"

namespace stampede::drain {
namespace {

// Checkers are commands that somebody waits for; they can afford to wait for a lock themselves.
constexpr int kBusyWaitMs = 5'000;

class SqliteReader final : public TableReader<SqliteQueries> {
 public:
  using TableReader::TableReader;

  Status refresh() override {
    if (connection_.is_in_transaction() && connection_.execute("COMMIT") != SQLITE_OK)
      return connection_.error();
    // A read transaction begins with its first read, not with BEGIN.
    if (connection_.execute("BEGIN; SELECT 1 FROM sqlite_schema") != SQLITE_OK)
      return connection_.error();
    return Ok{};
  }
};

}  // namespace

Result<std::unique_ptr<DatabaseReader>> open_sqlite_reader(const std::string& path) {
  Result<SqliteConnection> connection =
      SqliteConnection::open(path, SQLITE_OPEN_READONLY, kBusyWaitMs);
  if (!connection) return connection.error();
  if (Status schema = check_schema(*connection); !schema) return schema.error();
  std::unique_ptr<DatabaseReader> reader = std::make_unique<SqliteReader>(std::move(*connection));
  if (Status status = reader->refresh(); !status) return status.error();
  return reader;
}

}  // namespace stampede::drain
