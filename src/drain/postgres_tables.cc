#include "drain/postgres_tables.h"

#include "base/hash.h"
#include "drain/row_text.h"
#include "postgres/schema.h"

namespace stampede::drain {
namespace {

using postgres::Connection;
using postgres::Parameters;
using postgres::Rows;
using postgres::Timestamp;

constexpr std::string_view kInsertOrders = R"sql(
  INSERT INTO orders(order_id, item, user_id, qty, amount, currency, state,
                     created_at, pay_before, updated_at, payment_id, refund_due)
  SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::text[],
                       $7::text[], $8::timestamptz[], $9::timestamptz[], $10::timestamptz[],
                       $11::text[], $12::bigint[]))sql";
constexpr std::string_view kOrReplaceOrders = R"sql(
  ON CONFLICT (order_id) DO UPDATE SET
    item=excluded.item, user_id=excluded.user_id, qty=excluded.qty, amount=excluded.amount,
    currency=excluded.currency, state=excluded.state, created_at=excluded.created_at,
    pay_before=excluded.pay_before, updated_at=greatest(orders.updated_at, excluded.updated_at),
    payment_id=excluded.payment_id, refund_due=excluded.refund_due)sql";
constexpr char kUpdateOrders[] = R"sql(
  UPDATE orders
  SET state=coalesce(change.state, orders.state),
      payment_id=coalesce(change.payment_id, orders.payment_id),
      refund_due=orders.refund_due+change.refund_added,
      updated_at=greatest(orders.updated_at, change.updated_at)
  FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::timestamptz[])
       AS change(order_id, state, payment_id, refund_added, updated_at)
  WHERE orders.order_id=change.order_id)sql";
constexpr std::string_view kInsertPayments = R"sql(
  INSERT INTO payments(payment_id, order_id, amount, currency, outcome, received_at)
  SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[],
                       $6::timestamptz[]))sql";
constexpr std::string_view kOrReplacePayments = R"sql(
  ON CONFLICT (order_id, payment_id) DO UPDATE SET
    amount=excluded.amount, currency=excluded.currency, outcome=excluded.outcome,
    received_at=excluded.received_at)sql";
constexpr char kInsertReject[] = R"sql(
  INSERT INTO rejected(node, generation, shard, lsn, order_id, reason, record, at)
  VALUES($1, $2, $3, $4, $5, $6, $7, $8))sql";
constexpr char kDeleteRejects[] = "DELETE FROM rejected WHERE id=ANY($1::bigint[])";
constexpr char kInsertPosition[] = R"sql(
  INSERT INTO drain_position(node, generation, shard,
                             lsn, batch_seq, segment, byte_offset, chain, updated_at)
  VALUES($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING)sql";
constexpr char kUpdatePosition[] = R"sql(
  UPDATE drain_position
  SET lsn=$4, batch_seq=$5, segment=$6, byte_offset=$7, chain=$8, updated_at=$9
  WHERE node=$1 AND generation=$2 AND shard=$3 AND lsn=$10 AND chain=$11)sql";
constexpr char kFindPosition[] =
    "SELECT FROM drain_position WHERE node=$1 AND generation=$2 AND shard=$3";

Result<uint64_t> write(Connection& connection, const std::string& sql,
                       const Parameters& parameters) {
  const Result<Rows> done = connection.execute(sql.c_str(), parameters);
  if (!done) return done.error();
  return done->affected();
}

std::string statement(std::string_view insert, std::string_view or_replace, bool is_rebuild) {
  std::string sql(insert);
  if (is_rebuild) sql += or_replace;
  return sql;
}

// A stream without a position has no row that a second drainer could wait for. Both would find none, and the one that comes late
// would write its images over what the other has made of the log meanwhile.
Status take_lock(Connection& connection, const StreamKey& stream) {
  const uint64_t key = mix(mix(mix(stream.node) + stream.generation) + stream.shard);
  return postgres::take_stream_lock(connection, static_cast<int>(static_cast<uint32_t>(key)));
}

Parameters key_of(const StreamKey& stream) {
  Parameters key;
  key.add(stream.node).add(stream.generation).add(stream.shard);
  return key;
}

}  // namespace

Result<uint64_t> write_rows(Connection& connection, std::span<const NewOrder> orders,
                            bool is_rebuild) {
  Parameters columns;
  columns.add_column(orders, [](const NewOrder& order) { return Hex64Text(order.order.value); })
      .add_column(orders, [](const NewOrder& order) { return order.item; })
      .add_column(orders, [](const NewOrder& order) { return order.user; })
      .add_column(orders, [](const NewOrder& order) { return order.quantity; })
      .add_column(orders, [](const NewOrder& order) { return order.amount; })
      .add_column(orders, [](const NewOrder& order) { return text_of(order.currency); })
      .add_column(orders, [](const NewOrder& order) { return name_of(order.state); })
      .add_column(orders, [](const NewOrder& order) { return Timestamp{order.created_ms}; })
      .add_column(orders, [](const NewOrder& order) { return Timestamp{order.pay_before_ms}; })
      .add_column(orders, [](const NewOrder& order) { return Timestamp{order.updated_ms}; })
      .add_column(orders, [](const NewOrder& order) { return text_of(order.payment); })
      .add_column(orders, [](const NewOrder& order) { return order.refund_due; });
  return write(connection, statement(kInsertOrders, kOrReplaceOrders, is_rebuild), columns);
}

Result<uint64_t> write_rows(Connection& connection, std::span<const OrderChange> changes, bool) {
  const auto state_of = [](const OrderChange& change) {
    return change.state ? std::optional(name_of(*change.state)) : std::nullopt;
  };
  Parameters columns;
  columns
      .add_column(changes, [](const OrderChange& change) { return Hex64Text(change.order.value); })
      .add_column(changes, state_of)
      .add_column(changes, [](const OrderChange& change) { return text_of(change.payment); })
      .add_column(changes, [](const OrderChange& change) { return change.refund_added; })
      .add_column(changes, [](const OrderChange& change) { return Timestamp{change.updated_ms}; });
  return write(connection, kUpdateOrders, columns);
}

Result<uint64_t> write_rows(Connection& connection, std::span<const NewPayment> payments,
                            bool is_rebuild) {
  Parameters columns;
  columns.add_column(payments, [](const NewPayment& payment) { return payment.payment; })
      .add_column(payments,
                  [](const NewPayment& payment) { return Hex64Text(payment.order.value); })
      .add_column(payments, [](const NewPayment& payment) { return payment.amount; })
      .add_column(payments, [](const NewPayment& payment) { return text_of(payment.currency); })
      .add_column(payments,
                  [](const NewPayment& payment) { return orderlog::name_of(payment.outcome); })
      .add_column(payments,
                  [](const NewPayment& payment) { return Timestamp{payment.received_ms}; });
  return write(connection, statement(kInsertPayments, kOrReplacePayments, is_rebuild), columns);
}

Status write_reject(Connection& connection, const Reject& reject) {
  Parameters values = key_of(reject.stream);
  values.add(static_cast<int64_t>(reject.lsn))
      .add(Hex64Text(reject.order.value).view())
      .add(reject.reason)
      .add(reject.record)
      .add(Timestamp{reject.now_ms});
  const Result<uint64_t> written = write(connection, kInsertReject, values);
  if (!written) return written.error();
  return Ok{};
}

Status delete_rejects(Connection& connection, std::span<const int64_t> ids) {
  if (ids.empty()) return Ok{};
  Parameters column;
  column.add_column(ids, [](int64_t id) { return id; });
  const Result<uint64_t> deleted = write(connection, kDeleteRejects, column);
  if (!deleted) return deleted.error();
  return Ok{};
}

Result<bool> move_position(Connection& connection, const Batch& batch, int64_t now_ms) {
  Parameters values = key_of(batch.stream());
  if (!batch.before())
    if (Status status = take_lock(connection, batch.stream()); !status) return status.error();
  if (!batch.after()) {
    const Result<Rows> found = connection.execute(kFindPosition, values);
    if (!found) return found.error();
    return found->size() == 0;
  }
  const orderlog::Position& after = *batch.after();
  values.add(static_cast<int64_t>(after.next_lsn - 1))
      .add(static_cast<int64_t>(after.batch_seq - 1))
      .add(after.segment)
      .add(static_cast<int64_t>(after.offset))
      .add(Hex64Text(after.prev_chain).view())
      .add(Timestamp{now_ms});
  if (batch.before())
    values.add(static_cast<int64_t>(batch.before()->next_lsn - 1))
        .add(Hex64Text(batch.before()->prev_chain).view());
  const Result<uint64_t> moved =
      write(connection, batch.before() ? kUpdatePosition : kInsertPosition, values);
  if (!moved) return moved.error();
  return *moved == 1;
}

Result<bool> has_order(Connection& connection, OrderId order) {
  Parameters key;
  key.add(Hex64Text(order.value).view());
  const Result<Rows> found = connection.execute("SELECT FROM orders WHERE order_id=$1", key);
  if (!found) return found.error();
  return found->size() == 1;
}

Result<bool> is_retired(Connection& connection, uint32_t node) {
  Parameters key;
  key.add(node);
  const Result<Rows> member =
      connection.execute("SELECT state FROM members WHERE node=$1 FOR KEY SHARE", key);
  if (!member) return member.error();
  return member->size() == 1 && member->text(0, 0) == "retired";
}

}  // namespace stampede::drain
