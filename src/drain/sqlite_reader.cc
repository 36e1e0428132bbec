// The checkers' view of a SQLite database: one read transaction, pages by key.
#include <filesystem>

#include "drain/sqlite.h"
#include "drain/sqlite_queries.h"
#include "drain/sqlite_schema.h"
#include "drain/stored_rows.h"

namespace stampede::drain {
namespace {

// Checkers are commands, and an operator waits for their end anyway; they can afford to wait for a lock.
constexpr int kReadWaitMs = 5'000;

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

// For a look; nothing when the file or the table in it is not there yet.
Result<std::optional<SqliteConnection>> open_if_made(const std::string& path,
                                                     std::string_view table) {
  if (Status sound = check_database_files(path); !sound) return sound.error();
  std::error_code absent;
  if (!std::filesystem::exists(path, absent)) return std::optional<SqliteConnection>();
  Result<SqliteConnection> connection =
      SqliteConnection::open(path, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, kReadWaitMs);
  if (!connection) return connection.error();
  bool is_made = false;
  {
    Result<SqliteStatement> found =
        connection->prepare("SELECT 1 FROM sqlite_schema WHERE name=?1");
    if (!found) return found.error();
    is_made = found->bind(table).next() == SQLITE_ROW;
  }
  if (!is_made) return std::optional<SqliteConnection>();
  return std::optional<SqliteConnection>(std::move(*connection));
}

}  // namespace

Result<std::vector<StreamPosition>> look_at_sqlite_positions(const std::string& path) {
  Result<std::optional<SqliteConnection>> connection = open_if_made(path, "drain_position");
  if (!connection) return connection.error();
  if (!*connection) return std::vector<StreamPosition>{};
  return read_positions(SqliteQueries(**connection));
}

Result<OrderId> look_at_newest_sqlite_order(const std::string& path, uint32_t node) {
  Result<std::optional<SqliteConnection>> connection = open_if_made(path, "orders");
  if (!connection) return connection.error();
  if (!*connection) return OrderId{};
  return read_newest_order(SqliteQueries(**connection), node);
}

Result<std::vector<KnownOrder>> look_at_sqlite_orders(const std::string& path, uint32_t node,
                                                      size_t count_max) {
  Result<SqliteConnection> connection =
      SqliteConnection::open(path, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, kReadWaitMs);
  if (!connection) return connection.error();
  return read_outermost_orders(SqliteQueries(*connection), node, count_max);
}

Result<std::unique_ptr<DatabaseReader>> open_sqlite_reader(const std::string& path) {
  Result<SqliteConnection> connection =
      SqliteConnection::open(path, SQLITE_OPEN_READONLY, kReadWaitMs);
  if (!connection) return connection.error();
  if (Status schema = check_schema(*connection); !schema) return schema.error();
  std::unique_ptr<DatabaseReader> reader = std::make_unique<SqliteReader>(std::move(*connection));
  if (Status status = reader->refresh(); !status) return status.error();
  return reader;
}

}  // namespace stampede::drain
