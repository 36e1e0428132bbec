// Whether a directory lies in another one, by whatever names: a copy must not be made in what is copied.
#pragma once

#include <string>

#include "base/result.h"

namespace stampede::cmd {

// Also when they are the same. `path` need not be there yet. The error names the one whose place cannot be told.
[[nodiscard]] Result<bool> lies_in(const std::string& path, const std::string& directory);

}  // namespace stampede::cmd
