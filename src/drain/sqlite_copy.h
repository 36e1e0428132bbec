// A copy of an SQLite database as it is at one moment, while others write to it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/result.h"

namespace stampede::drain {

// `progress` is called with the bytes that were copied since the last call. The copy is checked page by page and durable;
// its name is not. A database that does not check is an Error with its path, and damage.
[[nodiscard]] Status copy_sqlite(const std::string& from, const std::string& to,
                                 const std::function<void(uint64_t bytes)>& progress);

}  // namespace stampede::drain
