#include "cluster/registry.h"

namespace stampede::cluster {

std::string not_counted(uint32_t node) {
  return "node " + std::to_string(node) +
         " has sold alone, and the ledger does not have its counters yet: " + kCountIt;
}

}  // namespace stampede::cluster
