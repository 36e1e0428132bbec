// Is a database that is older than the order log keeps one of this directory? Its position lies in a segment that is gone,
// so no chain value can tell; the orders do. An id stands for one order, with its user, units, amount and time, for good.
//
//   of the orders at both ends of what the database has, the snapshots have      then the database is
//   some, and those alike                                                        of this directory
//   one that is another there, or another one under its number                   of another
//   none                                                                         of nobody knows whom
//
// A database without an order of this node contradicts nothing and counts as its own. That a number of the stream (not of
// the node: shards count for themselves) is another order's is held against the database only when it lacks the
// snapshot's: a stream that was dealt out anew may have one number twice, and then the database has both.
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
  std::string why;  // unless own: the end of a line about the database, with what to do
};

// Reads the newest snapshot of each stream. An error: one could not be read.
[[nodiscard]] Result<Kinship> find_kinship(std::vector<KnownOrder> known,
                                           const std::vector<Stream>& streams);

}  // namespace stampede::drain
