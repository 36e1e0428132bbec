// The files that every node is started with and reads again when an operator asks for it: catalog, keys, operators' tokens, and who
// may not buy. Operators change them while the nodes run; whatever a node has not read again it goes on without, until its next
// start.
#pragma once

#include <string>

#include "base/result.h"
#include "plan.h"
#include "shard/reload.h"

namespace stampede::sim {

struct Inputs {
  // A payment key that somebody else has got hold of stands among the others.
  bool has_leaked_key = true;
  // What the catalog calls the items, by number.
  uint32_t edition = 0;
  // One of them is no good, and nothing of them may count.
  bool is_broken = false;
};

[[nodiscard]] Result<std::vector<stock::CatalogEntry>> read_catalog(const Plan& plan,
                                                                    const Inputs& inputs);
[[nodiscard]] Result<shard::SharedKeys> read_keys(const Inputs& inputs);
// Null: whoever reaches the listener may operate.
[[nodiscard]] Result<door::SharedOperators> read_operators(const Plan& plan);
[[nodiscard]] Result<door::SharedBlockList> read_blocked(const Plan& plan);
// All of them, as a node is told of it; one that cannot be read is its problem.
[[nodiscard]] shard::Reload read_again(const Plan& plan, const Inputs& inputs, uint64_t asked);

// Users that may buy what is only for members, one a line; the file's name.
constexpr const char* kMembersFile = "members.txt";
void write_members(const std::string& directory);

}  // namespace stampede::sim
