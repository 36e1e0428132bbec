// From the flags of `serve` to the settings of a node. Each Error is one line that begins with the flag.
#pragma once

#include <vector>

#include "cmd/serve_flags.h"
#include "node/settings.h"

namespace stampede::cmd {

[[nodiscard]] Result<node::NodeSettings> settings_of(const ServeFlags& flags);

// Parts of it that are read again while the server runs: the door's rules until operators change them, and the items.
[[nodiscard]] Status take_rules(const ServeFlags& flags, door::Rules& rules);
[[nodiscard]] Result<std::vector<stock::CatalogEntry>> read_catalog(const ServeFlags& flags);

}  // namespace stampede::cmd
