// What one seed draws before it begins: the shape of the world, and which faults are on and how often. Printed with a failure;
// a shrunk failure is the same seed with fewer faults allowed.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "door/limits.h"

namespace stampede::sim {

enum class Mishap : uint8_t {
  kill,              // the process is gone; what it gave to the kernel stays
  power_cut,         // the machine is gone; what was not synced may be lost
  stop,              // an orderly stop, and a start
  freeze,            // a node does nothing for a while
  reshard,           // it comes back with another number of shards
  slow_disk,         // writes take up to seconds
  disk_error,        // a write to the log fails
  disk_full,         // nothing can be made or grow for a while
  resets,            // connections end in the middle of anything
  slow_readers,      // clients that read late or not at all
  pieces,            // requests arrive byte by byte
  database_away,     // the database does not answer for a while
  database_unknown,  // a commit's answer is lost, done or not
  wall_clock,        // the wall clock is set
  redis_dies,        // and comes back empty, as it was, or as it was long ago
  redis_fails_over,  // to a replica that lags; sometimes the old master goes on
  redis_network,     // requests and answers are lost, late, or end their connection
  registry_away,     // of some nodes or all, or a change's answer is lost
  damage,            // a file of a dead node rots, and a start must notice
  old_copy,          // a dead node's directory is an older copy, and a start must notice
  absence,           // a node that died stays away for long
  impatient,         // clients give up early and ask again
  operators,         // restocks, withdrawals, pauses
  deactivate,        // a node that shares the ledger is taken out, dead or alive; it comes back
  presume,           // the same while the ledger waits for it, and its directory is given up
  reclaim,           // a node is retired, and what it held comes back
  rebuild,           // the nodes are told to build the ledger from their logs
  accept_loss,       // a log has lost records, and its node is started all the same
  limits,            // the door counts requests and reservations, and buyers run into that
  links,             // the first item is sold through a hidden link
  tickets,           // users are known by signed tickets, and some are forged
  blocks,            // some users and addresses may not buy
  strangers,         // whoever sends what is no good HTTP, or no order
  reloads,           // operators have tokens, change files and let nodes read them again
  put,               // operators put new items and new terms
  groups,  // two masters of a cluster share the items of the ledger, and each may be away alone
  polls,   // clients wait for a change of an order, and some go before they are answered
  count,
};
constexpr size_t kMishapCount = static_cast<size_t>(Mishap::count);
[[nodiscard]] std::string_view name_of(Mishap mishap);

using MishapSet = uint64_t;
constexpr MishapSet kAllMishaps = (MishapSet{1} << kMishapCount) - 1;
[[nodiscard]] constexpr MishapSet bit_of(Mishap mishap) {
  return MishapSet{1} << static_cast<unsigned>(mishap);
}
// Comma-separated names, or "all", "none"; false: one is not known.
[[nodiscard]] bool parse_mishaps(std::string_view text, MishapSet& faults);
[[nodiscard]] std::string text_of_mishaps(MishapSet faults);

struct Plan {
  uint64_t seed = 0;
  bool is_shared = false;  // the ledger: through Redis
  uint32_t nodes = 1;
  uint32_t shards = 1;  // of each node
  uint32_t items = 1;
  uint32_t users = 4;
  uint32_t stock = 10;          // of each item
  uint32_t per_user_limit = 0;  // of each item; 0: none
  uint32_t quantity_max = 1;    // of an order
  int64_t pay_window_s = 60;
  uint32_t segment_bytes = 0;
  uint32_t lease_max = 256;
  door::Limits limits;
  bool has_database = true;
  bool has_extras = false;     // items that are not for everybody, or not now
  double bloom_rate = 0;       // of the filter in front of the codes
  uint32_t access_sample = 0;  // a line of the access log for every so many requests; 0: none
  uint32_t places =
      0;  // for connections of a shard; one more costs an idle one its place; 0: plenty
  bool forgets = false;  // at the end the sale is over for long, and nodes forget its orders
  // Of nodes that share a ledger: the first has sold alone for so long before, and joins it like the others; 0: it has not.
  int64_t alone_s = 0;
  int64_t safety_s = 0;  // simulated length of the phase with faults
  int64_t quiet_s = 0;   // and of the hours behind it in which nobody asks for anything
  MishapSet faults = 0;
  // Mean simulated time between two of a kind; of those that are on.
  std::array<int64_t, kMishapCount> every_ns{};

  [[nodiscard]] bool has(Mishap mishap) const { return (faults & bit_of(mishap)) != 0; }
};

// `allowed`: faults that the seed may switch on.
[[nodiscard]] Plan draw_plan(uint64_t seed, MishapSet allowed = kAllMishaps);
[[nodiscard]] std::string text_of(const Plan& plan);

}  // namespace stampede::sim
