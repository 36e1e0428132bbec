// Compares the database's positions of a node's streams with their logs. Only reads: a start must know the answer before it
// writes anything, and the drainer compares again whenever it reads the positions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "drain/batch.h"
#include "drain/source.h"
#include "drain/start_case.h"
#include "orderlog/marks.h"

namespace stampede::drain {

struct Stream {
  StreamKey key;
  Source* source = nullptr;
  orderlog::Marks* marks = nullptr;  // reads durable; stores the three drained_… marks
  orderlog::Position log_end;        // as recovery found it
};

struct Comparison {
  StartCase start_case = StartCase::resume;
  // One line; empty: they are of one history. Outdated: how far the database is; whether it is of this history, its orders
  // decide (kinship.h).
  std::string contradiction;
};

// Of one stream; `position` is the database's, nullopt when it has none. Before the end of the log one batch is read, into
// `scratch`, because its chain value shows whether it follows the position. An error: the log could not be read.
[[nodiscard]] Result<Comparison> compare(const Stream& stream,
                                         const std::optional<orderlog::Position>& position,
                                         Batch& scratch);

// A stream of the node that the database knows and a directory of this generation and number of shards cannot explain. Its
// orders are in no log here, so the directory is an older copy, or its manifest is not the one that the orders were written
// under. nullopt: there is none.
[[nodiscard]] std::optional<StreamKey> unexplained_stream(
    const std::vector<StreamPosition>& positions, uint32_t node, uint32_t generation,
    uint32_t shard_count);
// The same in one line, with the remedy.
[[nodiscard]] std::string describe_unexplained(const StreamKey& stream, uint32_t generation,
                                               uint32_t shard_count);

}  // namespace stampede::drain
