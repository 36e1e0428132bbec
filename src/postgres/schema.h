// The tables in PostgreSQL. Reports and other services read them; more columns, indices and triggers
// may stand beside. They live where the connection's search_path points first.
//
// Orders (written by the drainers of all nodes):
//   orders(order_id, item, user_id, qty, amount, currency, state, created_at, pay_before, updated_at,
//          payment_id, refund_due)
//   payments(payment_id, order_id, amount, currency, outcome, received_at)
//   rejected(id, node, generation, shard, lsn, order_id, reason, record, at)
//       rows that the database would not take, and why; `record` is enough to put one in by hand
//   drain_position(node, generation, shard, lsn, batch_seq, segment, byte_offset, chain, updated_at)
//       `lsn` is the last record of a stream that is in the database, batch_seq and chain belong to
//       the log batch that held it; segment and byte_offset say where the next one begins
//
// Facts that the nodes of a Redis ledger agree on (written through cluster/registry.h):
//   members(node, uuid, state, epoch, counted_from, updated_at)
//       active, inactive or retired; epoch is the last that it entered; counted_from the first that has its counters; 0: it had
//       none to bring; NULL: it has sold alone and has not brought them yet; a drainer's transaction holds
//       the row of its node FOR KEY SHARE, which the FOR UPDATE of a retirement waits for
//   epochs(epoch, node, is_outdated, begun_at)       every epoch that was begun, and by which node; outdated:
//       what it would begin with has changed since, so no member may enter it any more
//   supply(item, supplied, withdrawn, brought_by, terms)   total = supplied − withdrawn; both only grow; brought_by: the node that
//       sold it alone before; an epoch learns of the item only together with that node's counters; NULL: none did;
//       terms: a JSON object that the nodes compare theirs with (cluster/terms.h); NULL: no node has
//       written any
//   restocks(op_id, item, delta, applied_at)         each applied once
//   frozen(node, stream, item, accepted, returned)   counters of members that are not active
//
//   schema_version(version)
//
// Order ids are 16 hex digits, times timestamptz with milliseconds, money minor units, a chain value
// 16 hex digits. Keys are compared by bytes (COLLATE "C"): that is their order in every other place
// of ours, and some three times quicker than by the rules of a language.
#pragma once

#include "base/result.h"
#include "postgres/connection.h"

namespace stampede::postgres {

// 2: supply.terms. 3: a primary key of schema_version. 4: members.counted_from, supply.brought_by. Only additions, so that a node of
// an older version may finish its sale on the connections that it has.
constexpr int kSchemaVersion = 4;

// Of pg_advisory_xact_lock(class, purpose); the class spells "stam".
constexpr int kLockClass = 0x7374616d;
enum class Lock : int { schema = 1, registry = 2 };

// Within a transaction: until its end nobody else has this lock of this database.
Status take_lock(Connection& connection, Lock lock);
// The same for one stream of a drainer; the class spells "strm". Two streams of one key only wait for each other.
constexpr int kStreamLockClass = 0x7374726d;
Status take_stream_lock(Connection& connection, int key);

// Makes what is missing and brings older tables up to date, in one transaction, one node at a time. An
// error when a newer stampede made the tables.
Status ensure_schema(Connection& connection);

// An error unless the tables are there and of this version.
Status check_schema(Connection& connection);

// Whether there are tables that ensure_schema() would take; an error when a newer stampede made them.
Result<bool> has_tables(Connection& connection);

}  // namespace stampede::postgres
