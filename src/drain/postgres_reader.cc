// The checkers' view of a PostgreSQL database: one read transaction, pages by key. Times are read as
// milliseconds and rendered here, so that they are the texts that SQLite has.
#include "drain/postgres.h"
#include "drain/postgres_tables.h"
#include "drain/row_text.h"
#include "postgres/schema.h"

namespace stampede::drain {
namespace {

using postgres::Connection;
using postgres::Options;
using postgres::Parameters;
using postgres::Rows;
using postgres::Transaction;

// Checkers read a lot, and may do so from a standby; between two reads they take their time.
constexpr Options kOptions = {
    .is_writer = false, .statement_ms = limits::postgres_read_ms, .idle_ms = 0};

std::string ms_of(const char* column) {
  return std::string("(extract(epoch FROM ") + column + ")*1000)::bigint";
}

// One row of an answer, column by column.
class Cells {
 public:
  Cells(const Rows& rows, size_t row) : rows_(rows), row_(row) {}
  std::string text(int column) const { return std::string(rows_.text(row_, column)); }
  int64_t integer(int column) const { return rows_.integer(row_, column); }
  std::string time(int column) const { return std::string(TimeText(integer(column)).view()); }
  std::optional<std::string> optional_text(int column) const {
    return rows_.is_null(row_, column) ? std::nullopt : std::optional(text(column));
  }

 private:
  const Rows& rows_;
  size_t row_;
};

class PostgresReader final : public DatabaseReader {
 public:
  explicit PostgresReader(Connection connection) : connection_(std::move(connection)) {}

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

  Result<OrderTotals> order_totals(std::string_view item) override {
    Parameters wanted;
    wanted.add(item);
    const Result<Rows> rows = connection_.execute(
        "SELECT state,count(*),sum(qty) FROM orders WHERE $1='' OR item=$1 GROUP BY state", wanted);
    if (!rows) return rows.error();
    OrderTotals totals;
    for (size_t row = 0; row < rows->size(); ++row) {
      const Cells cells(*rows, row);
      const std::optional<OrderState> state = parse_state(cells.text(0));
      if (!state) return Error{"orders: there is no state '" + cells.text(0) + "'"};
      totals[static_cast<size_t>(*state)] = {.orders = static_cast<uint64_t>(cells.integer(1)),
                                             .units = cells.integer(2)};
    }
    return totals;
  }

  Result<std::vector<StoredOrder>> orders_after(std::string_view order_id,
                                                size_t count_max) override {
    static const std::string sql =
        "SELECT order_id,item,user_id,qty,amount,currency,state," + ms_of("created_at") + "," +
        ms_of("pay_before") + "," + ms_of("updated_at") +
        ",payment_id,refund_due FROM orders WHERE order_id>$2 ORDER BY order_id LIMIT $1";
    return page<StoredOrder>(
        sql,
        [](const Cells& row) {
          return StoredOrder{.order_id = row.text(0),
                             .item = row.text(1),
                             .user_id = row.text(2),
                             .qty = row.integer(3),
                             .amount = row.integer(4),
                             .currency = row.text(5),
                             .state = row.text(6),
                             .created_at = row.time(7),
                             .pay_before = row.time(8),
                             .updated_at = row.time(9),
                             .payment_id = row.optional_text(10),
                             .refund_due = row.integer(11)};
        },
        count_max, order_id);
  }

  Result<std::vector<StoredPayment>> payments_after(std::string_view order_id,
                                                    std::string_view payment_id,
                                                    size_t count_max) override {
    static const std::string sql =
        "SELECT payment_id,order_id,amount,currency,outcome," + ms_of("received_at") +
        " FROM payments WHERE (order_id,payment_id)>($2,$3) ORDER BY order_id,payment_id LIMIT $1";
    return page<StoredPayment>(
        sql,
        [](const Cells& row) {
          return StoredPayment{.payment_id = row.text(0),
                               .order_id = row.text(1),
                               .amount = row.integer(2),
                               .currency = row.text(3),
                               .outcome = row.text(4),
                               .received_at = row.time(5)};
        },
        count_max, order_id, payment_id);
  }

  Result<std::vector<StoredReject>> rejects_after(int64_t id, size_t count_max) override {
    static const std::string sql = "SELECT id,node,generation,shard,lsn,order_id,reason,record," +
                                   ms_of("at") + " FROM rejected WHERE id>$2 ORDER BY id LIMIT $1";
    return page<StoredReject>(
        sql,
        [](const Cells& row) {
          return StoredReject{.id = row.integer(0),
                              .stream = {.node = static_cast<uint32_t>(row.integer(1)),
                                         .generation = static_cast<uint32_t>(row.integer(2)),
                                         .shard = static_cast<uint32_t>(row.integer(3))},
                              .lsn = static_cast<Lsn>(row.integer(4)),
                              .order_id = row.text(5),
                              .reason = row.text(6),
                              .record = row.text(7),
                              .at = row.time(8)};
        },
        count_max, id);
  }

  Result<std::vector<StreamPosition>> positions() override { return read_positions(connection_); }

  Result<OrderId> newest_order(uint32_t node) override {
    const OrderId first = OrderId::make(node, 0, 0);
    Parameters range;
    range.add(Hex64Text(first).view())
        .add(Hex64Text(first.value | (OrderId::make(1, 0, 0).value - 1)).view());
    const Result<Rows> rows = connection_.execute(
        "SELECT max(order_id) FROM orders WHERE order_id BETWEEN $1 AND $2", range);
    if (!rows) return rows.error();
    if (rows->is_null(0, 0)) return OrderId{};
    const std::optional<uint64_t> id = parse_hex64(rows->text(0, 0));
    if (!id)
      return Error{"orders: order_id '" + std::string(rows->text(0, 0)) + "' is not 16 hex digits"};
    return OrderId{*id};
  }

 private:
  // Rows of a query whose $1 is the limit and whose further parameters are the key to go on from.
  template <typename Row, typename... Key>
  Result<std::vector<Row>> page(const std::string& sql, Row (*read)(const Cells&), size_t count_max,
                                const Key&... key) {
    Parameters parameters;
    parameters.add(static_cast<int64_t>(count_max));
    (parameters.add(key), ...);
    const Result<Rows> answer = connection_.execute(sql.c_str(), parameters);
    if (!answer) return answer.error();
    std::vector<Row> rows;
    rows.reserve(answer->size());
    for (size_t row = 0; row < answer->size(); ++row) rows.push_back(read(Cells(*answer, row)));
    return rows;
  }

  Connection connection_;
  std::optional<Transaction> transaction_;  // behind the connection, so that it goes first
};

}  // namespace

Result<std::unique_ptr<DatabaseReader>> open_postgres_reader(const std::string& url) {
  Result<Connection> connection = Connection::open(url, kOptions);
  if (!connection) return connection.error();
  if (Status schema = postgres::check_schema(*connection); !schema) return schema.error();
  std::unique_ptr<DatabaseReader> reader = std::make_unique<PostgresReader>(std::move(*connection));
  if (Status status = reader->refresh(); !status) return status.error();
  return reader;
}

}  // namespace stampede::drain
