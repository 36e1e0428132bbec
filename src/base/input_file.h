// Files that are read whole before anything is done with them.
#pragma once

#include <cstddef>
#include <cstdio>
#include <string>

#include "base/result.h"

namespace stampede {

// The file's bytes. The error has the path and the fault; a file of more than bytes_max bytes is one.
[[nodiscard]] Result<std::string> read_file(const std::string& path, size_t bytes_max);

// The same of a file that is open; `path` is for the error.
[[nodiscard]] Result<std::string> read_file(std::FILE* file, const std::string& path,
                                            size_t bytes_max);

// An Error for a FIFO in a directory: opening it waits for a writer, perhaps for ever, and no signal is taken meanwhile.
[[nodiscard]] Status refuse_fifo(const std::string& path);

}  // namespace stampede
