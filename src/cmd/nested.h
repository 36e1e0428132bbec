// Whether a directory lies in another one, by whatever names: a copy must not be made in what is copied.
#pragma once

#include <algorithm>
#include <filesystem>
#include <string>

namespace stampede::cmd {

// Also when they are the same. `path` need not be there yet.
[[nodiscard]] inline bool lies_in(const std::string& path, const std::string& directory) {
  std::error_code absent;
  const auto inner = std::filesystem::weakly_canonical(std::filesystem::absolute(path), absent);
  const auto outer =
      std::filesystem::weakly_canonical(std::filesystem::absolute(directory), absent);
  return std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end()).first == outer.end();
}

}  // namespace stampede::cmd
