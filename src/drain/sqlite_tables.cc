#include "drain/sqlite_tables.h"

#include "drain/row_text.h"

namespace stampede::drain {
namespace {

constexpr char kInsertOrder[] = R"sql(
  INSERT INTO orders(order_id, item, user_id, qty, amount, currency, state,
                     created_at, pay_before, updated_at, payment_id, refund_due)
  VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12))sql";
// Not INSERT OR REPLACE, which would empty the columns that others have added.
constexpr char kOrReplaceOrder[] = R"sql(
  ON CONFLICT(order_id) DO UPDATE SET
    item=?2, user_id=?3, qty=?4, amount=?5, currency=?6, state=?7, created_at=?8, pay_before=?9,
    updated_at=max(updated_at, ?10), payment_id=?11, refund_due=?12)sql";
constexpr char kUpdateOrder[] = R"sql(
  UPDATE orders
  SET state=coalesce(?2, state), payment_id=coalesce(?3, payment_id), refund_due=refund_due+?4,
      updated_at=max(updated_at, ?5)
  WHERE order_id=?1)sql";
constexpr char kInsertPayment[] = R"sql(
  INSERT INTO payments(payment_id, order_id, amount, currency, outcome, received_at)
  VALUES(?1, ?2, ?3, ?4, ?5, ?6))sql";
constexpr char kOrReplacePayment[] = R"sql(
  ON CONFLICT(order_id, payment_id) DO UPDATE SET
    amount=?3, currency=?4, outcome=?5, received_at=?6)sql";
constexpr char kAddReject[] = R"sql(
  INSERT INTO rejected(node, generation, shard, lsn, order_id, reason, record, at)
  VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8))sql";
constexpr char kDeleteReject[] = "DELETE FROM rejected WHERE id=?1";
constexpr char kAddPosition[] = R"sql(
  INSERT INTO drain_position(node, generation, shard,
                             lsn, batch_seq, segment, byte_offset, chain, updated_at)
  VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING)sql";
constexpr char kMovePosition[] = R"sql(
  UPDATE drain_position
  SET lsn=?4, batch_seq=?5, segment=?6, byte_offset=?7, chain=?8, updated_at=?9
  WHERE node=?1 AND generation=?2 AND shard=?3 AND lsn=?10 AND chain=?11)sql";
constexpr char kReadPosition[] = R"sql(
  SELECT 1 FROM drain_position WHERE node=?1 AND generation=?2 AND shard=?3)sql";

constexpr char kFindOrder[] = "SELECT 1 FROM orders WHERE order_id=?1";

}  // namespace

Result<SqliteTables> SqliteTables::prepare(SqliteConnection& connection) {
  SqliteTables tables(connection);
  const std::pair<SqliteStatement*, std::string> statements[] = {
      {&tables.insert_order_, kInsertOrder},
      {&tables.replace_order_, std::string(kInsertOrder) + kOrReplaceOrder},
      {&tables.update_order_, kUpdateOrder},
      {&tables.insert_payment_, kInsertPayment},
      {&tables.replace_payment_, std::string(kInsertPayment) + kOrReplacePayment},
      {&tables.insert_reject_, kAddReject},
      {&tables.delete_reject_, kDeleteReject},
      {&tables.insert_position_, kAddPosition},
      {&tables.update_position_, kMovePosition},
      {&tables.find_position_, kReadPosition},
      {&tables.find_order_, kFindOrder},
  };
  for (const auto& [statement, sql] : statements) {
    Result<SqliteStatement> prepared = connection.prepare(sql.c_str());
    if (!prepared) return prepared.error();
    *statement = std::move(*prepared);
  }
  return tables;
}

int SqliteTables::insert(const NewOrder& order, OnConflict on_conflict) {
  SqliteStatement& statement = on_conflict == OnConflict::refuse ? insert_order_ : replace_order_;
  const Hex64Text id(order.order.value);
  const TimeText created(order.created_ms), pay_before(order.pay_before_ms),
      updated(order.updated_ms);
  return run(statement.bind(id.view(), order.item, order.user.view(), order.quantity, order.amount,
                            text_of(order.currency), name_of(order.state), created.view(),
                            pay_before.view(), updated.view(), text_of(order.payment),
                            order.refund_due));
}

int SqliteTables::insert(const NewPayment& payment, OnConflict on_conflict) {
  SqliteStatement& statement =
      on_conflict == OnConflict::refuse ? insert_payment_ : replace_payment_;
  const Hex64Text id(payment.order.value);
  const TimeText received(payment.received_ms);
  return run(statement.bind(payment.payment.view(), id.view(), payment.amount,
                            text_of(payment.currency), orderlog::name_of(payment.outcome),
                            received.view()));
}

int SqliteTables::update(const OrderChange& change) {
  const Hex64Text id(change.order.value);
  const TimeText updated(change.updated_ms);
  const std::optional<std::string_view> state =
      change.state ? std::optional(name_of(*change.state)) : std::nullopt;
  return run(update_order_.bind(id.view(), state, text_of(change.payment), change.refund_added,
                                updated.view()));
}

// A trigger may skip a row without a word.
int SqliteTables::run(SqliteStatement& row) {
  const int code = row.run();
  return code == SQLITE_DONE && sqlite3_changes64(handle_) == 0 ? SQLITE_NOTFOUND : code;
}

bool SqliteTables::has_order(OrderId order) {
  const Hex64Text id(order.value);
  return find_order_.bind(id.view()).run() == SQLITE_ROW;
}

int SqliteTables::reject(const StreamKey& stream, Lsn lsn, OrderId order, std::string_view reason,
                         std::string_view record, int64_t now_ms) {
  const Hex64Text id(order.value);
  const TimeText now(now_ms);
  return insert_reject_
      .bind(stream.node, stream.generation, stream.shard, lsn, id.view(), reason, record,
            now.view())
      .run();
}

int SqliteTables::delete_reject(int64_t id) {
  return delete_reject_.bind(id).run();
}

int SqliteTables::move_position(const Batch& batch, int64_t now_ms, bool& is_moved) {
  const auto [node, generation, shard] = batch.stream();
  if (!batch.after()) {
    const int code = find_position_.bind(node, generation, shard).run();
    is_moved = code == SQLITE_DONE;
    return code == SQLITE_ROW ? SQLITE_DONE : code;
  }
  const orderlog::Position& after = *batch.after();
  const Hex64Text chain(after.prev_chain);
  const TimeText now(now_ms);
  const auto move = [&](SqliteStatement& statement, const auto&... compared) {
    const int code = statement
                         .bind(node, generation, shard, after.next_lsn - 1, after.batch_seq - 1,
                               after.segment, after.offset, chain.view(), now.view(), compared...)
                         .run();
    is_moved = code == SQLITE_DONE && sqlite3_changes64(handle_) == 1;
    return code;
  };
  if (!batch.before()) return move(insert_position_);
  const Hex64Text chain_before(batch.before()->prev_chain);
  return move(update_position_, batch.before()->next_lsn - 1, chain_before.view());
}

}  // namespace stampede::drain
