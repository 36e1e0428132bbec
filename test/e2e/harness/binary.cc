#include "binary.h"

#include <cstdlib>
#include <filesystem>

namespace stampede::e2e {

std::string stampede_path() {
  if (const char* path = std::getenv("STAMPEDE")) return path;
  return std::filesystem::read_symlink("/proc/self/exe").parent_path() / "stampede";
}

std::string source_path(const std::string& path) {
  std::filesystem::path folder = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  // A build has folders of the same names as the sources.
  while (!std::filesystem::exists(folder / "Makefile") && folder.has_relative_path())
    folder = folder.parent_path();
  return folder / path;
}

Finished run_stampede(Arguments arguments, std::chrono::milliseconds patience) {
  arguments.insert(arguments.begin(), stampede_path());
  return run(arguments, patience);
}

}  // namespace stampede::e2e
