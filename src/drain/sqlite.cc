#include "drain/sqlite.h"

#include <sys/stat.h>

#include <utility>
#include <vector>

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

// A statement of a trigger failed, for this row or for all. When others were taken, it is the row's fault.
bool is_doubtful(int code) {
  return (code & 0xff) == SQLITE_ERROR;
}

// As in SqliteSink: the rows that ended a transaction.
using EndingRows = std::unordered_map<const void*, std::string>;

// Puts the rows of one batch into their tables or into `rejected`, within the open transaction. A row that ends it makes a rehearsal of
// the attempt: in a transaction anew it goes on to find all others like it, so that the next attempt need not try them.
class RowWriter {
 public:
  RowWriter(SqliteConnection& connection, SqliteTables& tables, const Batch& batch, int64_t now_ms,
            EndingRows& ending)
      : connection_(connection),
        tables_(tables),
        batch_(batch),
        now_ms_(now_ms),
        ending_(ending),
        known_(ending.size()) {}

  // SQLITE_DONE, or the code that ended the attempt.
  int write_all() {
    const OnConflict on_conflict = batch_.is_rebuild() ? OnConflict::replace : OnConflict::refuse;
    const auto insert = [&](const auto& row) { return tables_.insert(row, on_conflict); };
    const auto update = [&](const OrderChange& change) { return tables_.update(change); };
    if (const int code = write(batch_.orders(), insert); code != SQLITE_DONE) return code;
    if (const int code = write(batch_.changes(), update); code != SQLITE_DONE) return code;
    if (const int code = write(batch_.payments(), insert); code != SQLITE_DONE) return code;
    for (const int64_t id : batch_.settled_rejects())
      if (const int code = tables_.delete_reject(id); code != SQLITE_DONE) return code;
    return SQLITE_DONE;
  }

  [[nodiscard]] bool is_rehearsal() const { return ending_.size() > known_; }
  [[nodiscard]] uint32_t rejected() const { return rejected_; }
  // Why the attempt ended.
  [[nodiscard]] std::string cause() const {
    return cause_.empty() ? connection_.message() : cause_;
  }

 private:
  template <typename Row, typename Put>
  int write(const std::vector<Row>& rows, Put put) {
    std::vector<std::pair<const Row*, std::string>> doubtful;
    bool has_taken = false;
    for (const Row& row : rows) {
      int code = ending_.contains(&row) ? kEnding : put(row);
      if (code == SQLITE_DONE) {
        has_taken = true;
      } else if (is_doubtful(code) && connection_.is_in_transaction()) {
        doubtful.emplace_back(&row, connection_.message());
      } else if (!is_refusal(code)) {
        return code;
      } else if (code = set_aside(row, reason_of(code, row)); code != SQLITE_DONE) {
        return code;
      }
    }
    if (!doubtful.empty() && !has_taken) {
      cause_ = doubtful.front().second;
      return SQLITE_ERROR;
    }
    for (const auto& [row, reason] : doubtful)
      if (const int code = reject(*row, reason); code != SQLITE_DONE) return code;
    return SQLITE_DONE;
  }

  template <typename Row>
  std::string reason_of(int code, const Row& row) {
    if (const auto known = ending_.find(&row); known != ending_.end()) return known->second;
    return code == SQLITE_NOTFOUND ? not_taken(row) : connection_.message();
  }
  const char* not_taken(const OrderChange& change) {
    return tables_.has_order(change.order) ? kSkipped : "there is no such order in orders";
  }
  template <typename Row>
  const char* not_taken(const Row&) {
    return kSkipped;
  }

  template <typename Row>
  int set_aside(const Row& row, const std::string& reason) {
    if (connection_.is_in_transaction()) return reject(row, reason);
    ending_.emplace(&row, reason);
    const int code = connection_.execute("BEGIN IMMEDIATE");
    return code == SQLITE_OK ? SQLITE_DONE : code;
  }

  template <typename Row>
  int reject(const Row& row, const std::string& reason) {
    ++rejected_;
    return tables_.reject(batch_.stream(), row.lsn, row.order, reason, describe(row), now_ms_);
  }

  static constexpr int kEnding = SQLITE_CONSTRAINT;  // without asking SQLite again
  static constexpr char kSkipped[] = "a trigger skipped the row";

  SqliteConnection& connection_;
  SqliteTables& tables_;
  const Batch& batch_;
  int64_t now_ms_;
  EndingRows& ending_;
  size_t known_;
  uint32_t rejected_ = 0;
  std::string cause_;
};

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
Status SqliteSink::confirm(uint32_t, Patience) {
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

Written SqliteSink::write(const Batch& batch, int64_t now_ms, const MayGoOn&) {
  // Each rehearsal finds at least one row more.
  for (EndingRows ending;;) {
    if (!session_) return {.outcome = Outcome::retry, .cause = path_ + ": not connected"};
    if (std::optional<Written> written = attempt(batch, now_ms, ending)) return *written;
  }
}

// Nothing: it was a rehearsal.
std::optional<Written> SqliteSink::attempt(const Batch& batch, int64_t now_ms, EndingRows& ending) {
  SqliteConnection& connection = session_->connection;
  if (read_file_ids(connection) != session_->files) {
    session_.reset();
    return Written{.outcome = Outcome::retry,
                   .cause = path_ + ": the database or its -wal file was removed or replaced"};
  }
  if (const int code = connection.execute("BEGIN IMMEDIATE"); code != SQLITE_OK)
    return fail(Outcome::retry, code, connection.message());

  bool is_moved = false;
  // The position first: a loser of the race has written nothing yet.
  if (const int code = session_->tables.move_position(batch, now_ms, is_moved); code != SQLITE_DONE)
    return fail(Outcome::retry, code, connection.message());
  if (!is_moved) {
    connection.execute("ROLLBACK");
    return Written{.outcome = Outcome::conflict,
                   .cause = path_ + ": another drainer has moved the position"};
  }
  RowWriter rows(connection, session_->tables, batch, now_ms, ending);
  if (const int code = rows.write_all(); code != SQLITE_DONE)
    return fail(Outcome::retry, code, rows.cause());
  if (rows.is_rehearsal()) {
    connection.execute("ROLLBACK");
    return std::nullopt;
  }
  Written written{.rejected = rows.rejected()};
  if (const int code = connection.execute("COMMIT"); code != SQLITE_OK) {
    written = fail(Outcome::unknown, code, connection.message());
    written.rejected = rows.rejected();
  }
  return written;
}

// A lock of another program leaves the connection as it was; after anything else a new one starts clean, and
// closing the old one undoes its transaction. Busy at COMMIT is the one failure of a commit that
// certainly wrote nothing.
Written SqliteSink::fail(Outcome outcome, int code, const std::string& cause) {
  const bool is_busy = (code & 0xff) == SQLITE_BUSY;
  Written written{.outcome = is_busy ? Outcome::retry : outcome, .cause = path_ + ": " + cause};
  if (!is_busy || session_->connection.is_in_transaction()) session_.reset();
  return written;
}

}  // namespace stampede::drain
