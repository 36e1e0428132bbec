// Files with secrets that a command reads whole before it does anything; others: base/input_file.h.
#pragma once

#include <cstddef>
#include <string>

#include "base/input_file.h"
#include "base/result.h"
#include "door/keys.h"

namespace stampede::cmd {

// A file that holds secrets, whole: refused when others than its owner may read it.
[[nodiscard]] Result<std::string> read_private_file(const std::string& path, size_t bytes_max);

// Named secrets of a private file.
[[nodiscard]] Result<door::Keys> read_key_file(const std::string& path);

}  // namespace stampede::cmd
