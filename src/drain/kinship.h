// Is a database that is older than the order log keeps one of this directory? Its position lies in a segment that is gone,
// so no chain value can decide; the orders do. An id means one order, with its user, units, amount and time, for good. Compared
// are the first and the last orders of the database:
//
//   the snapshots have                                           then the database is
//   some of them, and these are alike                            of this directory
//   one of them with other facts, or another under its number    of another
//   none of them                                                 of an unknown one
//
// A database without an order of this node contradicts nothing and counts as its own.
//
// Numbers are those of a stream, for each shard counts for itself. A stream that was dealt out anew (reshard) may have given one
// number twice; its own database then has both orders. So another order under a number of the snapshot speaks against the
// database only when the database does not also have the snapshot's order.
#pragma once

#include <string>
#include <vector>

#include "drain/comparison.h"
#include "drain/known_order.h"

namespace stampede::drain {

// How many orders at each end are looked at.
constexpr size_t kKinshipOrders = 4'096;

enum class Kin : uint8_t { own, other, unknown };

struct Kinship {
  Kin kin = Kin::unknown;
  std::string why;  // unless own: the end of a line about the database, with the remedy
};

// Reads the newest snapshot of each stream. `shard_count`: of the streams that gave the database's orders their numbers, which may
// be those of the generation before; 0: not known, and numbers tell nothing. An error: a snapshot could not be read.
[[nodiscard]] Result<Kinship> find_kinship(std::vector<KnownOrder> known,
                                           const std::vector<Stream>& streams,
                                           uint32_t shard_count);

}  // namespace stampede::drain
