// The database as it is named on the command line, and the checkers' reading of it.
//
//   sqlite:PATH   postgres://USER@HOST:PORT/NAME (or postgresql://…)   none
//
// mysql://… is refused until its sink exists. A PostgreSQL URL is libpq's: several
// hosts, sslmode and other parameters; a password is better kept in ~/.pgpass or PGPASSFILE.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "drain/sink.h"

namespace stampede::drain {

struct DatabaseUrl {
  enum class Kind { none, sqlite, postgres };
  Kind kind = Kind::none;
  std::string path;  // sqlite
  std::string url;   // postgres; not to be shown: it may hold a password
};

[[nodiscard]] Result<DatabaseUrl> parse_database_url(std::string_view url);

// As it may be shown to the operator.
[[nodiscard]] std::string display_name(const DatabaseUrl& url);

// Null for `none`. Connects to nothing yet.
[[nodiscard]] std::unique_ptr<Sink> make_sink(const DatabaseUrl& url);

// The positions of all streams as they are, without making or changing anything: for a start that has not decided yet, so
// never those of a standby. None when the database or its tables are not there yet. An error: it does not answer now.
[[nodiscard]] Result<std::vector<StreamPosition>> look_at_positions(const DatabaseUrl& url);
// The same for Sink::outermost_orders(), once there are positions.
[[nodiscard]] Result<std::vector<KnownOrder>> look_at_outermost_orders(const DatabaseUrl& url,
                                                                       uint32_t node,
                                                                       size_t count_max);

// And for the order with the node's highest sequence number; 0: no order, perhaps because there is no database yet.
[[nodiscard]] Result<OrderId> look_at_newest_order(const DatabaseUrl& url, uint32_t node);

// Rows of the tables, with their texts unchanged, so that a checker reads the same as a report would.
struct StoredOrder {
  std::string order_id, item, user_id;
  int64_t qty = 0, amount = 0;
  std::string currency, state, created_at, pay_before, updated_at;
  std::optional<std::string> payment_id;
  int64_t refund_due = 0;
  friend bool operator==(const StoredOrder&, const StoredOrder&) = default;
};

struct StoredPayment {
  std::string payment_id, order_id;
  int64_t amount = 0;
  std::string currency, outcome, received_at;
  friend bool operator==(const StoredPayment&, const StoredPayment&) = default;
};

struct StoredReject {
  int64_t id = 0;  // rising
  StreamKey stream;
  Lsn lsn = 0;
  std::string order_id, reason, record, at;
};

struct OrderTotal {
  uint64_t orders = 0;
  int64_t units = 0;
  friend bool operator==(const OrderTotal&, const OrderTotal&) = default;
};
using OrderTotals = std::array<OrderTotal, 4>;  // by OrderState

// Reads one consistent state of the database: as of the opening or the last refresh(). Lists come
// in pages, in the order of their keys: pass the last row's key to get the next page; an empty page
// is the end. One thread.
class DatabaseReader {
 public:
  virtual ~DatabaseReader() = default;
  virtual Status refresh() = 0;
  // Of one item, or of all when `item` is empty. An order in a state that does not exist is an
  // error.
  virtual Result<OrderTotals> order_totals(std::string_view item) = 0;
  virtual Result<std::vector<StoredOrder>> orders_after(std::string_view order_id,
                                                        size_t count_max) = 0;
  virtual Result<std::vector<StoredPayment>> payments_after(std::string_view order_id,
                                                            std::string_view payment_id,
                                                            size_t count_max) = 0;
  virtual Result<std::vector<StoredReject>> rejects_after(int64_t id, size_t count_max) = 0;
  virtual Result<std::vector<StreamPosition>> positions() = 0;
};

// A standby may lag: it will do for a checker that also reads how far it is, and for nothing that decides what is written.
enum class ReadFrom : uint8_t { primary, any_server };

// An error when there is no such database, or for `none`.
[[nodiscard]] Result<std::unique_ptr<DatabaseReader>> open_database_reader(
    const DatabaseUrl& url, ReadFrom from = ReadFrom::primary);

}  // namespace stampede::drain
