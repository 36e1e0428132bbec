// The checkers' view of a SQLite database: one read transaction, pages by key.
#include "drain/row_text.h"
#include "drain/sqlite.h"
#include "drain/sqlite_schema.h"
#include "drain/sqlite_tables.h"

namespace stampede::drain {
namespace {

// Checkers are commands that somebody waits for; they can afford to wait for a lock themselves.
constexpr int kBusyWaitMs = 5'000;

class SqliteReader final : public DatabaseReader {
 public:
  explicit SqliteReader(SqliteConnection connection) : connection_(std::move(connection)) {}

  Status refresh() override {
    if (connection_.is_in_transaction() && connection_.execute("COMMIT") != SQLITE_OK)
      return connection_.error();
    // A read transaction begins with its first read, not with BEGIN.
    if (connection_.execute("BEGIN; SELECT 1 FROM sqlite_schema") != SQLITE_OK)
      return connection_.error();
    return Ok{};
  }

  Result<OrderTotals> order_totals(std::string_view item) override {
    Result<SqliteStatement> query = connection_.prepare(
        "SELECT state,count(*),sum(qty) FROM orders WHERE ?1='' OR item=?1 GROUP BY state");
    if (!query) return query.error();
    query->bind(item);
    OrderTotals totals;
    int code;
    while ((code = query->next()) == SQLITE_ROW) {
      const std::optional<OrderState> state = parse_state(query->text(0));
      if (!state) return Error{"orders: there is no state '" + query->text(0) + "'"};
      totals[static_cast<size_t>(*state)] = {.orders = static_cast<uint64_t>(query->integer(1)),
                                             .units = query->integer(2)};
    }
    if (code != SQLITE_DONE) return connection_.error();
    return totals;
  }

  Result<std::vector<StoredOrder>> orders_after(std::string_view order_id,
                                                size_t count_max) override {
    return page<StoredOrder>(
        "SELECT "
        "order_id,item,user_id,qty,amount,currency,state,created_at,pay_before,updated_at,payment_"
        "id,"
        "refund_due FROM orders WHERE order_id>?2 ORDER BY order_id LIMIT ?1",
        [](const SqliteStatement& row) {
          return StoredOrder{
              .order_id = row.text(0),
              .item = row.text(1),
              .user_id = row.text(2),
              .qty = row.integer(3),
              .amount = row.integer(4),
              .currency = row.text(5),
              .state = row.text(6),
              .created_at = row.text(7),
              .pay_before = row.text(8),
              .updated_at = row.text(9),
              .payment_id = row.is_null(10) ? std::nullopt : std::optional(row.text(10)),
              .refund_due = row.integer(11)};
        },
        count_max, order_id);
  }

  Result<std::vector<StoredPayment>> payments_after(std::string_view order_id,
                                                    std::string_view payment_id,
                                                    size_t count_max) override {
    return page<StoredPayment>(
        "SELECT payment_id,order_id,amount,currency,outcome,received_at FROM payments "
        "WHERE (order_id,payment_id)>(?2,?3) ORDER BY order_id,payment_id LIMIT ?1",
        [](const SqliteStatement& row) {
          return StoredPayment{.payment_id = row.text(0),
                               .order_id = row.text(1),
                               .amount = row.integer(2),
                               .currency = row.text(3),
                               .outcome = row.text(4),
                               .received_at = row.text(5)};
        },
        count_max, order_id, payment_id);
  }

  Result<std::vector<StoredReject>> rejects_after(int64_t id, size_t count_max) override {
    return page<StoredReject>(
        "SELECT id,node,generation,shard,lsn,order_id,reason,record,at FROM rejected WHERE id>?2 "
        "ORDER BY id LIMIT ?1",
        [](const SqliteStatement& row) {
          return StoredReject{.id = row.integer(0),
                              .stream = {.node = static_cast<uint32_t>(row.integer(1)),
                                         .generation = static_cast<uint32_t>(row.integer(2)),
                                         .shard = static_cast<uint32_t>(row.integer(3))},
                              .lsn = static_cast<Lsn>(row.integer(4)),
                              .order_id = row.text(5),
                              .reason = row.text(6),
                              .record = row.text(7),
                              .at = row.text(8)};
        },
        count_max, id);
  }

  Result<std::vector<StreamPosition>> positions() override { return read_positions(connection_); }

  Result<OrderId> newest_order(uint32_t node) override {
    Result<SqliteStatement> query =
        connection_.prepare("SELECT max(order_id) FROM orders WHERE order_id BETWEEN ?1 AND ?2");
    if (!query) return query.error();
    const OrderId first = OrderId::make(node, 0, 0);
    const Hex64Text low(first), high(first.value | (OrderId::make(1, 0, 0).value - 1));
    query->bind(low.view(), high.view());
    if (query->next() != SQLITE_ROW) return connection_.error();
    if (query->is_null(0)) return OrderId{};
    const std::optional<uint64_t> id = parse_hex64(query->text(0));
    if (!id) return Error{"orders: order_id '" + query->text(0) + "' is not 16 hex digits"};
    return OrderId{*id};
  }

 private:
  // Rows of a query whose ?1 is the limit and whose further parameters are the key to go on from.
  template <typename Row, typename... Key>
  Result<std::vector<Row>> page(const char* sql, Row (*read)(const SqliteStatement&),
                                size_t count_max, const Key&... key) {
    Result<SqliteStatement> query = connection_.prepare(sql);
    if (!query) return query.error();
    query->bind(count_max, key...);
    std::vector<Row> rows;
    int code;
    while ((code = query->next()) == SQLITE_ROW) rows.push_back(read(*query));
    if (code != SQLITE_DONE) return connection_.error();
    return rows;
  }

  SqliteConnection connection_;
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
