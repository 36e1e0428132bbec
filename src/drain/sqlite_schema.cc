#include "drain/sqlite_schema.h"

namespace stampede::drain {
namespace {

constexpr char kTables[] = R"sql(
  CREATE TABLE IF NOT EXISTS orders(
    order_id   TEXT PRIMARY KEY NOT NULL,
    item       TEXT NOT NULL,
    user_id    TEXT NOT NULL,
    qty        INTEGER NOT NULL,
    amount     INTEGER NOT NULL,
    currency   TEXT NOT NULL,
    state      TEXT NOT NULL,
    created_at TEXT NOT NULL,
    pay_before TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    payment_id TEXT NULL,
    refund_due INTEGER NOT NULL DEFAULT 0
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS payments(
    payment_id  TEXT NOT NULL,
    order_id    TEXT NOT NULL,
    amount      INTEGER NOT NULL,
    currency    TEXT NOT NULL,
    outcome     TEXT NOT NULL,
    received_at TEXT NOT NULL,
    PRIMARY KEY (order_id, payment_id)
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS drain_position(
    node        INTEGER NOT NULL,
    generation  INTEGER NOT NULL,
    shard       INTEGER NOT NULL,
    lsn         INTEGER NOT NULL,
    batch_seq   INTEGER NOT NULL,
    segment     INTEGER NOT NULL,
    byte_offset INTEGER NOT NULL,
    chain       TEXT NOT NULL,
    updated_at  TEXT NOT NULL,
    PRIMARY KEY (node, generation, shard)
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS rejected(
    id         INTEGER PRIMARY KEY,
    node       INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    shard      INTEGER NOT NULL,
    lsn        INTEGER NOT NULL,
    order_id   TEXT NOT NULL,
    reason     TEXT NOT NULL,
    record     TEXT NOT NULL,
    at         TEXT NOT NULL
  );
  CREATE TABLE IF NOT EXISTS schema_version(version INTEGER NOT NULL);
  INSERT INTO schema_version SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM schema_version);
)sql";
static_assert(kSchemaVersion == 1, "the last line above inserts the version");

}  // namespace

Status ensure_schema(SqliteConnection& connection) {
  if (check_schema(connection)) return Ok{};  // the usual case, without a write
  if (connection.execute("BEGIN IMMEDIATE") != SQLITE_OK) return connection.error();
  Status status = Ok{};
  if (connection.execute(kTables) != SQLITE_OK) status = connection.error();
  if (status) status = check_schema(connection);
  if (status && connection.execute("COMMIT") != SQLITE_OK) status = connection.error();
  if (connection.is_in_transaction()) connection.execute("ROLLBACK");
  return status;
}

Status check_schema(SqliteConnection& connection) {
  Result<SqliteStatement> query = connection.prepare("SELECT max(version) FROM schema_version");
  if (!query) return query.error();
  if (query->next() != SQLITE_ROW) return connection.error();
  const int64_t version = query->integer(0);
  if (version == kSchemaVersion) return Ok{};
  return Error{"the tables of the database are of schema version " + std::to_string(version) +
               ", this stampede knows " + std::to_string(kSchemaVersion) +
               ": use the stampede that made them, or another database"};
}

}  // namespace stampede::drain
