// From the flags of `serve` to what a node is started with. Each Error is one line that begins with the flag.
#pragma once

#include <vector>

#include "cmd/serve_flags.h"
#include "node/settings.h"

namespace stampede::cmd {

[[nodiscard]] Result<node::NodeSettings> settings_of(const ServeFlags& flags);

// Parts of it that are read again while the server runs: what the door goes by until operators change it; what is sold.
[[nodiscard]] Status take_rules(const ServeFlags& flags, door::Rules& rules);
[[nodiscard]] Result<std::vector<stock::CatalogEntry>> read_catalog(const ServeFlags& flags);

}  // namespace stampede::cmd
