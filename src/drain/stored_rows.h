// Reads our tables, in one place for all databases: for checkers, and for sinks that want to
// know where to go on.
//
// `Queries` asks a database of one kind:
//   Connection                                its connection, which it refers to
//   Status each_row(sql, on_row, values...)   calls on_row(row) until that answers an Error
//   static std::string time(column)           how a statement asks for a column of times
// A row has text(column), integer(column), time(column) and is_null(column); a time is the text that
// SQLite has. The values are $1, $2 … and must be first named in this order: so does SQLite count.
#pragma once

#include "drain/database.h"
#include "drain/row_text.h"

namespace stampede::drain {

// Each made by make(row), which may answer an Error.
template <typename Made, typename Queries, typename Make, typename... Values>
Result<std::vector<Made>> read_rows(Queries queries, const std::string& sql, Make make,
                                    const Values&... values) {
  std::vector<Made> all;
  const Status read = queries.each_row(
      sql,
      [&](const auto& row) -> Status {
        Result<Made> made = make(row);
        if (!made) return made.error();
        all.push_back(std::move(*made));
        return Ok{};
      },
      values...);
  if (!read) return read.error();
  return all;
}

// Node, generation and shard, in three columns from `first` on.
template <typename Row>
StreamKey read_stream(const Row& row, int first) {
  const auto number = [&](int column) { return static_cast<uint32_t>(row.integer(column)); };
  return {.node = number(first), .generation = number(first + 1), .shard = number(first + 2)};
}

template <typename Queries>
Result<std::vector<StreamPosition>> read_positions(Queries queries) {
  return read_rows<StreamPosition>(
      queries,
      "SELECT node,generation,shard,lsn,batch_seq,segment,byte_offset,chain FROM drain_position "
      "ORDER BY node,generation,shard",
      [](const auto& row) -> Result<StreamPosition> {
        const auto number = [&](int column) { return static_cast<uint64_t>(row.integer(column)); };
        const Result<uint64_t> chain = parse_hex64_column("drain_position: chain", row.text(7));
        if (!chain) return chain.error();
        return StreamPosition{.stream = read_stream(row, 0),
                              .position = {.segment = static_cast<uint32_t>(number(5)),
                                           .offset = number(6),
                                           .batch_seq = number(4) + 1,
                                           .next_lsn = number(3) + 1,
                                           .prev_chain = *chain}};
      });
}

// The orders of a node at one end. When there may be more, those that share the last one's sequence number stay out: of a
// number there are all or none.
template <typename Queries>
Result<std::vector<KnownOrder>> read_orders_at_end(Queries queries, uint32_t node,
                                                   const std::string& order, size_t count_max) {
  const OrderId first = OrderId::make(node, 0, 0);
  const Hex64Text low(first.value), high(first.value | (OrderId::make(1, 0, 0).value - 1));
  Result<std::vector<KnownOrder>> orders = read_rows<KnownOrder>(
      queries,
      "SELECT order_id,user_id,qty,amount," + Queries::time("created_at") +
          " FROM orders WHERE order_id BETWEEN $1 AND $2 ORDER BY order_id " + order + " LIMIT $3",
      [](const auto& row) -> Result<KnownOrder> {
        const Result<uint64_t> id = parse_hex64_column("orders: order_id", row.text(0));
        if (!id) return id.error();
        return KnownOrder{.id = OrderId{*id},
                          .user = row.text(1),
                          .quantity = row.integer(2),
                          .amount = row.integer(3),
                          .created_at = row.time(4)};
      },
      low.view(), high.view(), static_cast<int64_t>(count_max));
  if (orders && orders->size() == count_max) {
    const uint64_t cut = orders->back().id.sequence();
    std::erase_if(*orders, [&](const KnownOrder& known) { return known.id.sequence() == cut; });
  }
  return orders;
}

template <typename Queries>
Result<std::vector<KnownOrder>> read_outermost_orders(Queries queries, uint32_t node,
                                                      size_t count_max) {
  Result<std::vector<KnownOrder>> orders = read_orders_at_end(queries, node, "ASC", count_max);
  if (!orders) return orders;
  const Result<std::vector<KnownOrder>> last = read_orders_at_end(queries, node, "DESC", count_max);
  if (!last) return last.error();
  orders->insert(orders->end(), last->begin(), last->end());
  return orders;
}

// The order with the node's highest sequence number; 0: no order.
template <typename Queries>
Result<OrderId> read_newest_order(Queries queries, uint32_t node) {
  const OrderId first = OrderId::make(node, 0, 0);
  const Hex64Text low(first.value), high(first.value | (OrderId::make(1, 0, 0).value - 1));
  const Result<std::vector<OrderId>> newest = read_rows<OrderId>(
      queries, "SELECT max(order_id) FROM orders WHERE order_id BETWEEN $1 AND $2",
      [](const auto& row) -> Result<OrderId> {
        if (row.is_null(0)) return OrderId{};
        const Result<uint64_t> id = parse_hex64_column("orders: order_id", row.text(0));
        if (!id) return id.error();
        return OrderId{*id};
      },
      low.view(), high.view());
  if (!newest) return newest.error();
  return (*newest)[0];
}

// All of a reader but its transaction.
template <typename Queries>
class TableReader : public DatabaseReader {
 public:
  explicit TableReader(Queries::Connection connection) : connection_(std::move(connection)) {}

  Result<OrderTotals> order_totals(std::string_view item) override {
    OrderTotals totals;
    const Status read = queries().each_row(
        "SELECT state,count(*),sum(qty) FROM orders WHERE $1='' OR item=$1 GROUP BY state",
        [&](const auto& row) -> Status {
          const std::optional<OrderState> state = parse_state(row.text(0));
          if (!state) return Error{"orders: there is no state '" + row.text(0) + "'"};
          totals[static_cast<size_t>(*state)] = {.orders = static_cast<uint64_t>(row.integer(1)),
                                                 .units = row.integer(2)};
          return Ok{};
        },
        item);
    if (!read) return read.error();
    return totals;
  }

  Result<std::vector<StoredOrder>> orders_after(std::string_view order_id,
                                                size_t count_max) override {
    return read_rows<StoredOrder>(
        queries(),
        "SELECT order_id,item,user_id,qty,amount,currency,state," + Queries::time("created_at") +
            "," + Queries::time("pay_before") + "," + Queries::time("updated_at") +
            ",payment_id,refund_due FROM orders WHERE order_id>$1 ORDER BY order_id LIMIT $2",
        [](const auto& row) {
          return StoredOrder{
              .order_id = row.text(0),
              .item = row.text(1),
              .user_id = row.text(2),
              .qty = row.integer(3),
              .amount = row.integer(4),
              .currency = row.text(5),
              .state = row.text(6),
              .created_at = row.time(7),
              .pay_before = row.time(8),
              .updated_at = row.time(9),
              .payment_id = row.is_null(10) ? std::nullopt : std::optional(row.text(10)),
              .refund_due = row.integer(11)};
        },
        order_id, static_cast<int64_t>(count_max));
  }

  Result<std::vector<StoredPayment>> payments_after(std::string_view order_id,
                                                    std::string_view payment_id,
                                                    size_t count_max) override {
    return read_rows<StoredPayment>(
        queries(),
        "SELECT payment_id,order_id,amount,currency,outcome," + Queries::time("received_at") +
            " FROM payments WHERE (order_id,payment_id)>($1,$2) "
            "ORDER BY order_id,payment_id LIMIT $3",
        [](const auto& row) {
          return StoredPayment{.payment_id = row.text(0),
                               .order_id = row.text(1),
                               .amount = row.integer(2),
                               .currency = row.text(3),
                               .outcome = row.text(4),
                               .received_at = row.time(5)};
        },
        order_id, payment_id, static_cast<int64_t>(count_max));
  }

  Result<std::vector<StoredReject>> rejects_after(int64_t id, size_t count_max) override {
    return read_rows<StoredReject>(
        queries(),
        "SELECT id,node,generation,shard,lsn,order_id,reason,record," + Queries::time("at") +
            " FROM rejected WHERE id>$1 ORDER BY id LIMIT $2",
        [](const auto& row) {
          return StoredReject{.id = row.integer(0),
                              .stream = read_stream(row, 1),
                              .lsn = static_cast<Lsn>(row.integer(4)),
                              .order_id = row.text(5),
                              .reason = row.text(6),
                              .record = row.text(7),
                              .at = row.time(8)};
        },
        id, static_cast<int64_t>(count_max));
  }

  Result<std::vector<StreamPosition>> positions() override { return read_positions(queries()); }

 protected:
  Queries::Connection connection_;

 private:
  Queries queries() { return Queries(connection_); }
};

}  // namespace stampede::drain
