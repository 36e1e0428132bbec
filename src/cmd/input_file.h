// Files that a command reads whole before it does anything: key files, bodies, catalogs.
#pragma once

#include <cstddef>
#include <string>

#include "base/result.h"
#include "door/keys.h"

namespace stampede::cmd {

// The file's bytes. The error names the path and what was wrong; a file of more than bytes_max
// bytes is one.
[[nodiscard]] Result<std::string> read_file(const std::string& path, size_t bytes_max);

// The same of a file that holds secrets: refused when others than its owner may read it.
[[nodiscard]] Result<std::string> read_private_file(const std::string& path, size_t bytes_max);

// Named secrets of a private file.
[[nodiscard]] Result<door::Keys> read_key_file(const std::string& path);

}  // namespace stampede::cmd
