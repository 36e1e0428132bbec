// Taking a node out of a shared ledger: for a while, or for good; and whom the others would wait for if they began anew. Blocking;
// safe to repeat.
//
// The order of the steps keeps units from being sold twice: first every server refuses the node's calls to Redis and its rows,
// then its counters are final, then the database has them, and only then Redis. A node that begins an epoch in between reads the
// same counters from the database.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "cluster/inspection.h"
#include "cluster/registry.h"
#include "cluster/script_caller.h"

namespace stampede::cluster {

// An Error when it has never taken part in this ledger.
[[nodiscard]] Result<Member> member_of(Registry& registry, uint32_t node);

// Fences the node in the open epoch and makes it inactive with the counters that it had there.
// presume_sold: also when the epoch waits for the node because its data are lost; its counters are then all units that no other
// node holds.
enum class Waiting : uint8_t { refuse, presume_sold };
[[nodiscard]] Status take_out(ScriptCaller& redis, Registry& registry, uint32_t node,
                              Waiting waiting);

// An inactive node's final counters, to the database and then to Redis if an epoch is open there. Returns why Redis did not get
// them, in a line for the operator; empty: it did.
[[nodiscard]] Result<std::string> retire(ScriptCaller& redis, Registry& registry, uint32_t node,
                                         std::vector<FrozenCount> counts);

// An Error, with the remedy, when the epoch behind `epoch`, the open one, would wait for a node that does not run. `members`: what
// the registry has; it alone knows a node that has sold alone and has not got as far as this epoch. None: nobody asked it.
[[nodiscard]] Status check_all_run(const SignsOfLife& signs, uint64_t epoch,
                                   std::span<const Member> members);

}  // namespace stampede::cluster
