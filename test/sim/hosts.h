// All nodes of a simulation, by number.
#pragma once

#include <memory>
#include <vector>

#include "host.h"

namespace stampede::sim {

using Hosts = std::vector<std::unique_ptr<Host>>;

}  // namespace stampede::sim
