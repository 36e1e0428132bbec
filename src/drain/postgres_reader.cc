// The checkers' view of a PostgreSQL database: one read transaction, pages by key.
#include "drain/postgres.h"
#include "drain/postgres_queries.h"
#include "drain/stored_rows.h"
#include "postgres/schema.h"

namespace stampede::drain {
namespace {

using postgres::Connection;
using postgres::Options;
using postgres::Rows;
using postgres::Transaction;

// Checkers read a lot, and between two reads they take their time.
constexpr Options kOptions = {
    .server = postgres::Server::primary, .statement_ms = bounds::postgres_read_ms, .idle_ms = 0};

Options options_of(ReadFrom from) {
  Options options = kOptions;
  if (from == ReadFrom::any_server) options.server = postgres::Server::any;
  return options;
}

class PostgresReader final : public TableReader<PostgresQueries> {
 public:
  using TableReader::TableReader;

  Status refresh() override {
    transaction_.reset();
    Result<Transaction> begun = Transaction::begin(connection_, Transaction::Mode::read);
    if (!begun) return begun.error();
    transaction_.emplace(std::move(*begun));
    // A transaction's one consistent state is that of its first read.
    if (const Result<Rows> read = connection_.execute("SELECT FROM schema_version"); !read)
      return read.error();
    return Ok{};
  }

 private:
  std::optional<Transaction> transaction_;  // goes before the connection, which is the base's
};

Result<bool> has_table(Connection& connection, std::string_view name) {
  postgres::Parameters names;
  names.add(name);
  const Result<Rows> tables =
      connection.execute("SELECT FROM (SELECT to_regclass($1)) t(id) WHERE id IS NOT NULL", names);
  if (!tables) return tables.error();
  return tables->size() == 1;
}

}  // namespace

Result<std::unique_ptr<DatabaseReader>> open_postgres_reader(const std::string& url,
                                                             ReadFrom from) {
  Result<Connection> connection = Connection::open(url, options_of(from));
  if (!connection) return connection.error();
  if (Status schema = postgres::check_schema(*connection); !schema) return schema.error();
  std::unique_ptr<DatabaseReader> reader = std::make_unique<PostgresReader>(std::move(*connection));
  if (Status status = reader->refresh(); !status) return status.error();
  return reader;
}

Result<std::vector<StreamPosition>> look_at_postgres_positions(const std::string& url) {
  Result<Connection> connection = Connection::open(url, kOptions);
  if (!connection) return connection.error();
  const Result<bool> is_made = has_table(*connection, "drain_position");
  if (!is_made) return is_made.error();
  if (!*is_made) return std::vector<StreamPosition>{};
  return read_positions(PostgresQueries(*connection));
}

Result<OrderId> look_at_newest_postgres_order(const std::string& url, uint32_t node) {
  Result<Connection> connection = Connection::open(url, kOptions);
  if (!connection) return connection.error();
  const Result<bool> is_made = has_table(*connection, "orders");
  if (!is_made) return is_made.error();
  if (!*is_made) return OrderId{};
  return read_newest_order(PostgresQueries(*connection), node);
}

Result<std::vector<KnownOrder>> look_at_postgres_orders(const std::string& url, uint32_t node,
                                                        size_t count_max) {
  Result<Connection> connection = Connection::open(url, kOptions);
  if (!connection) return connection.error();
  return read_outermost_orders(PostgresQueries(*connection), node, count_max);
}

}  // namespace stampede::drain
