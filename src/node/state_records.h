// A state as records, in an order in which apply() can build it again: what snapshots hold, and what moves an order to
// another shard.
#pragma once

#include <functional>
#include <vector>

#include "orderlog/record.h"
#include "orderlog/snapshot.h"
#include "stock/stream_state.h"

namespace stampede::node {

using RecordSink =
    std::function<Status(const orderlog::Record& record)>;  // an error ends the visit

// Every fact of the state as snapshot records, in an order in which they can be applied. Returns the snapshot's sum.
[[nodiscard]] Result<uint64_t> write_snapshot(const stock::StreamState& state,
                                              const orderlog::StreamFiles& files,
                                              orderlog::SnapshotFacts facts);

// The items with what was ever supplied, and the operators' changes that were applied.
[[nodiscard]] Status for_each_item_record(const stock::StreamState& state, const RecordSink& visit);

// Live orders by their ids: the chains of a user's orders are rebuilt newest last, and ids rise with time.
[[nodiscard]] std::vector<uint32_t> orders_by_id(const stock::StreamState& state);
[[nodiscard]] orderlog::OrderImage image_of(const stock::StreamState& state,
                                            const stock::Order& order);
// The payments of an order, oldest first, so that building the chain again leaves it as it was.
[[nodiscard]] Status for_each_payment(const stock::StreamState& state, const stock::Order& order,
                                      const RecordSink& visit);

}  // namespace stampede::node
