// The counters of a JOIN, as words for lua/join.lua: a line for each item, dealt out to the groups of the ledger.
//
//   item supplied count, and count times: stream accepted returned pool
#pragma once

#include <string>
#include <vector>

#include "cluster/epoch_link.h"
#include "cluster/registry.h"

namespace stampede::cluster {

using Words = std::vector<std::string>;
using JoinLines = std::vector<Words>;  // of one group, a line each

// The registry's part: the supply of every item, the units that operators took off sale, and the counters of members that
// are not active. By group.
[[nodiscard]] std::vector<JoinLines> lines_of_plan(const EpochPlan& plan, uint32_t group_count);

// Adds a stream's counters from the moment of its promise. `lines`: by group.
void add_lines_of_stream(const std::string& stream, const Promise& promise,
                         std::vector<JoinLines>& lines);

}  // namespace stampede::cluster
