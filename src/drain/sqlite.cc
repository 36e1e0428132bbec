#include "drain/sqlite.h"

#include <sys/stat.h>

#include "drain/sqlite_queries.h"
#include "drain/sqlite_schema.h"
#include "drain/sqlite_tables.h"
#include "drain/stored_rows.h"

namespace stampede::drain {
namespace {

// Short, because the drainer has its own back-off and must be able to stop.
constexpr int kBusyWaitMs = 50;

// The page cache of 64 MiB holds the ends of the trees. A checkpoint every 16 MiB of WAL instead of
// every 4 saves a tenth of the time of an insert.
constexpr char kSettings[] = R"sql(
  PRAGMA journal_mode=WAL;
  PRAGMA synchronous=FULL;
  PRAGMA cache_size=-65536;
  PRAGMA wal_autocheckpoint=4096;
)sql";

// The files behind the names, to notice that they were removed or replaced under the open
// connection.
struct FileIds {
  std::pair<dev_t, ino_t> main, wal;
  friend bool operator==(const FileIds&, const FileIds&) = default;
};

FileIds read_file_ids(const SqliteConnection& connection) {
  const char* main_path = sqlite3_db_filename(connection.handle(), "main");
  FileIds ids;
  struct stat info;
  if (stat(main_path, &info) == 0) ids.main = {info.st_dev, info.st_ino};
  if (stat(sqlite3_filename_wal(main_path), &info) == 0) ids.wal = {info.st_dev, info.st_ino};
  return ids;
}

// An answer about a row, not about the database's own state: this row will be refused again, the others
// need not be.
bool is_refusal(int code) {
  const int primary = code & 0xff;
  return primary == SQLITE_CONSTRAINT || primary == SQLITE_TOOBIG || primary == SQLITE_MISMATCH ||
         primary == SQLITE_NOTFOUND;
}

}  // namespace

struct SqliteSink::Session {
  SqliteConnection connection;
  SqliteTables tables;  // behind the connection, so that it goes first
  FileIds files;
};

SqliteSink::SqliteSink(std::string path) : path_(std::move(path)) {}
SqliteSink::~SqliteSink() = default;

Status SqliteSink::connect() {
  Result<SqliteConnection> connection =
      SqliteConnection::open(path_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, kBusyWaitMs);
  if (!connection) return connection.error();
  if (connection->execute(kSettings) != SQLITE_OK) return connection->error();
  if (Status schema = ensure_schema(*connection); !schema) return schema;
  Result<SqliteTables> tables = SqliteTables::prepare(*connection);
  if (!tables) return tables.error();
  const FileIds files = read_file_ids(*connection);
  session_ = std::make_unique<Session>(std::move(*connection), std::move(*tables), files);
  return Ok{};
}

Result<std::vector<StreamPosition>> SqliteSink::positions() {
  if (session_ && read_file_ids(session_->connection) != session_->files) session_.reset();
  if (!session_)
    if (Status status = connect(); !status) return status.error();
  Result<std::vector<StreamPosition>> positions =
      read_positions(SqliteQueries(session_->connection));
  if (!positions) session_.reset();
  return positions;
}

// The log before a position that was read may be thrown away. So the rows move from the WAL into the main file, as far as
// readers let them: then not even a lost WAL file takes them away.
Status SqliteSink::confirm(uint32_t) {
  if (!session_) return Error{path_ + ": not connected"};
  session_->connection.execute("PRAGMA wal_checkpoint(PASSIVE)");
  return Ok{};
}

Result<std::vector<KnownOrder>> SqliteSink::outermost_orders(uint32_t node, size_t count_max) {
  if (!session_) return Error{path_ + ": not connected"};
  Result<std::vector<KnownOrder>> orders =
      read_outermost_orders(SqliteQueries(session_->connection), node, count_max);
  if (!orders) session_.reset();
  return orders;
}

Written SqliteSink::write(const Batch& batch, int64_t now_ms) {
  if (!session_) return {.outcome = Outcome::retry, .cause = path_ + ": not connected"};
  SqliteConnection& connection = session_->connection;
  if (read_file_ids(connection) != session_->files) {
    session_.reset();
    return {.outcome = Outcome::retry,
            .cause = path_ + ": the database or its -wal file was removed or replaced"};
  }
  if (const int code = connection.execute("BEGIN IMMEDIATE"); code != SQLITE_OK)
    return fail(Outcome::retry, code);

  bool is_moved = false;
  // The position first: a loser of the race has written nothing yet.
  if (const int code = session_->tables.move_position(batch, now_ms, is_moved); code != SQLITE_DONE)
    return fail(Outcome::retry, code);
  if (!is_moved) {
    connection.execute("ROLLBACK");
    return {.outcome = Outcome::conflict,
            .cause = path_ + ": another drainer has moved the position"};
  }
  Written written;
  if (const int code = write_rows(batch, now_ms, written.rejected); code != SQLITE_DONE)
    return fail(Outcome::retry, code);
  if (const int code = connection.execute("COMMIT"); code != SQLITE_OK) {
    const uint32_t rejected = written.rejected;
    written = fail(Outcome::unknown, code);
    written.rejected = rejected;
  }
  return written;
}

// A lock of another program leaves the connection as it was; after anything else a new one starts clean, and
// closing the old one undoes its transaction. Busy at COMMIT is the one failure of a commit that
// certainly wrote nothing.
Written SqliteSink::fail(Outcome outcome, int code) {
  const SqliteConnection& connection = session_->connection;
  const bool is_busy = (code & 0xff) == SQLITE_BUSY;
  Written written{.outcome = is_busy ? Outcome::retry : outcome,
                  .cause = path_ + ": " + connection.message()};
  if (!is_busy || connection.is_in_transaction()) session_.reset();
  return written;
}

// SQLITE_DONE when every row is in its table or in `rejected`, otherwise the code that ended the
// transaction.
int SqliteSink::write_rows(const Batch& batch, int64_t now_ms, uint32_t& rejected) {
  SqliteTables& tables = session_->tables;
  const SqliteConnection& connection = session_->connection;
  const auto reject_if_refused = [&](int code, const auto& row) {
    // A trigger may roll back the whole transaction instead of refusing its row.
    if (code == SQLITE_DONE || !is_refusal(code) || !connection.is_in_transaction()) return code;
    ++rejected;
    const std::string reason =
        code == SQLITE_NOTFOUND ? "there is no such order in orders" : connection.message();
    return tables.reject(batch.stream(), row.lsn, row.order, reason, describe(row), now_ms);
  };
  const OnConflict on_conflict = batch.is_rebuild() ? OnConflict::replace : OnConflict::refuse;
  for (const NewOrder& order : batch.orders())
    if (const int code = reject_if_refused(tables.insert(order, on_conflict), order);
        code != SQLITE_DONE)
      return code;
  for (const OrderChange& change : batch.changes())
    if (const int code = reject_if_refused(tables.update(change), change); code != SQLITE_DONE)
      return code;
  for (const NewPayment& payment : batch.payments())
    if (const int code = reject_if_refused(tables.insert(payment, on_conflict), payment);
        code != SQLITE_DONE)
      return code;
  for (const int64_t id : batch.settled_rejects())
    if (const int code = tables.delete_reject(id); code != SQLITE_DONE) return code;
  return SQLITE_DONE;
}

}  // namespace stampede::drain
