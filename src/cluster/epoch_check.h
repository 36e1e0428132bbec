// The answer of lua/check.lua: the epoch of one group of items, as its master has it.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "cluster/script_caller.h"

namespace stampede::cluster {

struct EpochCheck {
  std::string status;   // OK, ROLLED or GONE; empty: the master was not reached
  std::string state;    // R recovering, O open
  std::string members;  // "0,3,7"
  std::string
      layout;        // "generation.shards" of this node's data directory; empty: it has not joined
  std::string boot;  // the process whose calls count for this node; "-": the node was fenced
  uint64_t epoch = 0;
  uint32_t groups = 0;     // into which the node that began the epoch deals the items
  bool is_filled = false;  // the registry's part has arrived

  bool was_reached() const { return !status.empty(); }
  bool is_in(uint64_t other) const { return status == "OK" && epoch == other; }
  bool is_open() const { return status == "OK" && state == "O"; }
  bool is_fenced() const { return boot == "-"; }
};

// An Error when the server is no master (any more), or answered with something else.
[[nodiscard]] Result<EpochCheck> parse_check(const RedisValue& answer);

// The same after this process has begun an epoch there.
[[nodiscard]] EpochCheck check_of_begun(uint64_t epoch, const std::string& members,
                                        uint32_t groups);

}  // namespace stampede::cluster
