#include "postgres/schema.h"

#include <iterator>
#include <string>

namespace stampede::postgres {
namespace {

constexpr const char* kTables[] = {
    R"sql(CREATE TABLE IF NOT EXISTS orders(
      order_id   text COLLATE "C" PRIMARY KEY,
      item       text NOT NULL,
      user_id    text NOT NULL,
      qty        integer NOT NULL,
      amount     bigint NOT NULL,
      currency   text NOT NULL,
      state      text NOT NULL,
      created_at timestamptz NOT NULL,
      pay_before timestamptz NOT NULL,
      updated_at timestamptz NOT NULL,
      payment_id text,
      refund_due bigint NOT NULL DEFAULT 0))sql",
    R"sql(CREATE TABLE IF NOT EXISTS payments(
      payment_id  text COLLATE "C" NOT NULL,
      order_id    text COLLATE "C" NOT NULL,
      amount      bigint NOT NULL,
      currency    text NOT NULL,
      outcome     text NOT NULL,
      received_at timestamptz NOT NULL,
      PRIMARY KEY (order_id, payment_id)))sql",
    R"sql(CREATE TABLE IF NOT EXISTS rejected(
      id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      node       integer NOT NULL,
      generation bigint NOT NULL,
      shard      integer NOT NULL,
      lsn        bigint NOT NULL,
      order_id   text NOT NULL,
      reason     text NOT NULL,
      record     text NOT NULL,
      at         timestamptz NOT NULL))sql",
    R"sql(CREATE TABLE IF NOT EXISTS drain_position(
      node        integer NOT NULL,
      generation  bigint NOT NULL,
      shard       integer NOT NULL,
      lsn         bigint NOT NULL,
      batch_seq   bigint NOT NULL,
      segment     bigint NOT NULL,
      byte_offset bigint NOT NULL,
      chain       text NOT NULL,
      updated_at  timestamptz NOT NULL,
      PRIMARY KEY (node, generation, shard)))sql",
    R"sql(CREATE TABLE IF NOT EXISTS members(
      node       integer PRIMARY KEY,
      uuid       text NOT NULL UNIQUE,
      state      text NOT NULL CHECK (state IN ('active', 'inactive', 'retired')),
      epoch      bigint NOT NULL DEFAULT 0 CHECK (epoch >= 0),
      counted_from bigint DEFAULT 0,
      updated_at timestamptz NOT NULL DEFAULT now()))sql",
    R"sql(CREATE TABLE IF NOT EXISTS epochs(
      epoch    bigint PRIMARY KEY,
      node     integer NOT NULL,
      is_outdated boolean NOT NULL DEFAULT false,
      begun_at timestamptz NOT NULL DEFAULT now()))sql",
    R"sql(CREATE TABLE IF NOT EXISTS supply(
      item      text COLLATE "C" PRIMARY KEY,
      supplied  bigint NOT NULL CHECK (supplied >= 0),
      withdrawn bigint NOT NULL CHECK (withdrawn BETWEEN 0 AND supplied),
      brought_by integer,
      terms     text))sql",
    R"sql(CREATE TABLE IF NOT EXISTS restocks(
      op_id      text COLLATE "C" PRIMARY KEY,
      item       text COLLATE "C" NOT NULL,
      delta      bigint NOT NULL CHECK (delta <> 0),
      applied_at timestamptz NOT NULL DEFAULT now()))sql",
    R"sql(CREATE TABLE IF NOT EXISTS frozen(
      node     integer NOT NULL,
      stream   text COLLATE "C" NOT NULL,
      item     text COLLATE "C" NOT NULL,
      accepted bigint NOT NULL,
      returned bigint NOT NULL CHECK (returned BETWEEN 0 AND accepted),
      PRIMARY KEY (node, stream, item)))sql",
    // With a key, because a publication FOR ALL TABLES refuses the update of a table without one.
    "CREATE TABLE IF NOT EXISTS schema_version(version integer PRIMARY KEY)",
    "INSERT INTO schema_version SELECT 4 WHERE NOT EXISTS (SELECT FROM schema_version)",
};
static_assert(kSchemaVersion == 4, "the last line above inserts the version");

// The statements that turn tables of version n, the first of which is 1, into those of the next.
constexpr const char* kSteps[] = {
    "ALTER TABLE supply ADD COLUMN terms text",
    "ALTER TABLE schema_version ADD PRIMARY KEY (version)",
    "DO $$ BEGIN ALTER TABLE members ADD COLUMN counted_from bigint DEFAULT 0; "
    "ALTER TABLE supply ADD COLUMN brought_by integer; END $$",
};
static_assert(std::size(kSteps) == kSchemaVersion - 1);

constexpr char kUndefinedTable[] = "42P01";

// 0: there are no tables.
Result<int64_t> read_version(Connection& connection) {
  const Result<Rows> rows = connection.execute("SELECT max(version) FROM schema_version");
  if (rows) return rows->integer(0, 0);
  if (connection.failure().sqlstate != kUndefinedTable) return rows.error();
  return int64_t{0};
}

Status take_advisory_lock(Connection& connection, int of_class, int number) {
  Parameters key;
  key.add(of_class).add(number);
  const Result<Rows> taken =
      connection.execute("SELECT pg_advisory_xact_lock($1::int, $2::int)", key);
  if (!taken) return taken.error();
  return Ok{};
}

Status judge(const Connection& connection, int64_t version) {
  if (version == kSchemaVersion) return Ok{};
  if (version == 0)
    return Error{connection.name() + ": there are no tables of stampede in this database"};
  return Error{connection.name() + ": the tables are of schema version " + std::to_string(version) +
               ", this stampede knows " + std::to_string(kSchemaVersion) +
               (version < kSchemaVersion
                    ? ": start a node of this version, which brings them up to date"
                    : ": use the stampede that made them, or another database")};
}

}  // namespace

Status take_lock(Connection& connection, Lock lock) {
  return take_advisory_lock(connection, kLockClass, static_cast<int>(lock));
}

Status take_stream_lock(Connection& connection, int key) {
  return take_advisory_lock(connection, kStreamLockClass, key);
}

Status ensure_schema(Connection& connection) {
  Result<int64_t> version = read_version(connection);
  if (!version) return version.error();
  if (*version >= kSchemaVersion) return judge(connection, *version);  // usual, without a write
  Result<Transaction> transaction = Transaction::begin(connection);
  if (!transaction) return transaction.error();
  // IF NOT EXISTS alone is a race: two nodes that look at once both find nothing.
  if (Status status = take_lock(connection, Lock::schema); !status) return status;
  for (const char* statement : kTables)
    if (const Result<Rows> made = connection.execute(statement); !made) return made.error();
  version = read_version(connection);
  if (!version) return version.error();
  for (; *version < kSchemaVersion; ++*version)
    if (const Result<Rows> made = connection.execute(kSteps[*version - 1]); !made)
      return made.error();
  if (Status status = judge(connection, *version); !status) return status;
  Parameters newest;
  newest.add(*version);
  if (const Result<Rows> noted = connection.execute("UPDATE schema_version SET version=$1", newest);
      !noted)
    return noted.error();
  if (transaction->commit() != Transaction::End::committed)
    return Error{connection.name() + ": " + connection.failure().message};
  return Ok{};
}

Status check_schema(Connection& connection) {
  const Result<int64_t> version = read_version(connection);
  return version ? judge(connection, *version) : Status(version.error());
}

Result<bool> has_tables(Connection& connection) {
  const Result<int64_t> version = read_version(connection);
  if (!version) return version.error();
  if (*version > kSchemaVersion) return judge(connection, *version).error();
  return *version > 0;
}

}  // namespace stampede::postgres
