// Compares the database's positions of a node's streams with their logs. Only reads: a start must know the answer before it
// writes anything, and the drainer compares again whenever it reads the positions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "drain/ancestry.h"
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
                                         const Ancestry& ancestry, Batch& scratch);

}  // namespace stampede::drain
