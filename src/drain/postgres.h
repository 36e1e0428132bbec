// The database that many nodes share: PostgreSQL.
//
//   BEGIN → the node is not retired → the position moves, if it is the expected one → new orders,
//   changes, payments: one statement each, with a column of the batch for each parameter → COMMIT
//
// A row that the database refuses rolls the transaction back; it is then tried again with savepoints,
// by halves, until each bad row is alone and goes into `rejected`. So the usual batch pays
// nothing for the unusual one, and a bad row costs about 2·log2(rows) statements.
//
// Full batches of new orders: 218,000 rows/s on the 2-core machine this was built on, server and fsync
// included, of which the drainer's thread spends 0.3 µs a row and PostgreSQL 4 to 5; changes and
// payments of orders: 160,000 rows/s. A batch of 100 takes 4 ms, most of it the round trips and the
// fsync.
//
// Any other failure drops the connection: the next one may find another server (a URL may name
// several hosts; only one that takes writes will do), and the old transaction ends with it. Only the
// outcome of a failed COMMIT is unknown.
//
// Connection and transaction belong to one thread, the drainer's. No call lasts longer than
// bounds::postgres_statement_ms and a little for each statement.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "drain/database.h"
#include "drain/sink.h"
#include "postgres/connection.h"

namespace stampede::drain {

class PostgresSink final : public Sink {
 public:
  explicit PostgresSink(std::string url, const postgres::Options& options = {});

  Result<std::vector<StreamPosition>> positions() override;
  Status confirm(uint32_t node, Patience patience) override;
  Result<std::vector<KnownOrder>> outermost_orders(uint32_t node, size_t count_max) override;
  Written write(const Batch& batch, int64_t now_ms, const MayGoOn& may_go_on = {}) override;

 private:
  Status connect();

  std::string url_;
  postgres::Options options_;
  std::optional<postgres::Connection> connection_;  // none: not connected
};

[[nodiscard]] Result<std::unique_ptr<DatabaseReader>> open_postgres_reader(const std::string& url,
                                                                           ReadFrom from);
[[nodiscard]] Result<std::vector<StreamPosition>> look_at_postgres_positions(
    const std::string& url);
[[nodiscard]] Result<std::vector<KnownOrder>> look_at_postgres_orders(const std::string& url,
                                                                      uint32_t node,
                                                                      size_t count_max);
[[nodiscard]] Result<OrderId> look_at_newest_postgres_order(const std::string& url, uint32_t node);

}  // namespace stampede::drain
