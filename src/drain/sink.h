// The seam to the reporting database. Crossed once per batch.
//
// Exactly once: the rows of a batch and the stream's new position are one transaction, and the
// position is compared before it is set. A second drainer, or a commit whose answer was lost,
// therefore shows as a position that is not the expected one; no guess is ever needed, only to
// read the positions again. A failed write leaves the database as it was, so the log is simply read
// again from the position that the database has.
//
// A row that the database refuses (a constraint, a trigger, a value too long) goes into `rejected`
// with the reason, in the same transaction, and the rest of the batch goes on: one bad row never
// stops the line. Where an answer may be about one row or about the whole table (a trigger whose own statement failed, a right
// that lacks), it is about the row if others of its kind were taken.
//
// One thread at a time. A sink connects when it is asked for positions and drops a broken
// connection by itself.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "drain/batch.h"
#include "drain/known_order.h"

namespace stampede::drain {

enum class Outcome : uint8_t {
  done,      // committed: rows and position are durable
  conflict,  // not written: the position in the database was not batch.before()
  retry,     // not written: busy, full, read-only, unreachable …; try again later
  unknown,   // the commit was sent and its answer lost: the positions show whether it was done
  fenced,    // not written, and nothing of this node ever will be: it was retired from the cluster
};

struct Written {
  Outcome outcome = Outcome::done;
  bool is_too_long =
      false;              // retry: it took all the time that a statement may; fewer rows may pass
  uint32_t rejected = 0;  // done, unknown: rows that went into `rejected`
  std::string cause;      // unless done: one line
};

// Asked between the statements of a write that needs many; false: it ends with `retry`. Empty: always.
using MayGoOn = std::function<bool()>;

// How long a confirmation is waited for. brief: half a second, by a start that goes on without it.
enum class Patience : uint8_t { full, brief };
constexpr int64_t kBriefPatienceMs = 500;

class Sink {
 public:
  virtual ~Sink() = default;

  // Connects if it must, makes or checks the schema, and reads the positions of all streams in a
  // transaction of its own. An error may pass: ask again later.
  virtual Result<std::vector<StreamPosition>> positions() = 0;

  // Of a node's positions that were read before: they are as durable as a commit whose answer came. A read does not say that: a
  // server that was started anew shows rows that it had committed while their commit still waited for a standby. An error may pass.
  virtual Status confirm(uint32_t node, Patience patience) = 0;

  // The first and the last orders of a node, so many of each at most: whose database is it (kinship.h)?
  virtual Result<std::vector<KnownOrder>> outermost_orders(uint32_t node, size_t count_max) = 0;

  // `now_ms`: wall clock, for updated_at of the position and for rejects.
  virtual Written write(const Batch& batch, int64_t now_ms, const MayGoOn& may_go_on = {}) = 0;
};

}  // namespace stampede::drain
