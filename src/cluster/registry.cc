#include "cluster/registry.h"

namespace stampede::cluster {

std::string not_counted(uint32_t node) {
  return "node " + std::to_string(node) +
         " has sold alone, and the ledger does not have its counters yet: start it, or reclaim it "
         "with --data DIR, its data directory; if that is lost: stampede ledger rebuild without "
         "--db, "
         "then stampede ledger deactivate --presume-sold";
}

}  // namespace stampede::cluster
