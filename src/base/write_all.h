// Writing a whole piece of a file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace stampede {

// Writes all the bytes at `offset`. 0 or errno; a device that takes no more is ENOSPC.
[[nodiscard]] int write_all(int fd, uint64_t offset, std::span<const std::byte> bytes);

}  // namespace stampede
