#include "directory.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>

#include "base/check.h"
#include "base/hash.h"

namespace stampede::sim {
namespace {

uint64_t digest_of_text(const std::string& text, uint64_t seed) {
  return checksum(std::as_bytes(std::span(text)), seed);
}

}  // namespace

Directory::Directory()
    : path_((::access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp") +
            std::string("/stampede-sim-XXXXXX")) {
  CHECK(::mkdtemp(path_.data()) != nullptr);
}

Directory::~Directory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string Directory::make(const std::string& name) const {
  std::string path = path_ + "/" + name;
  CHECK(std::filesystem::create_directory(path));
  return path;
}

std::vector<std::string> files_below(const std::string& directory) {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory))
    if (entry.is_regular_file()) paths.push_back(entry.path().string());
  std::ranges::sort(paths);
  return paths;
}

uint64_t digest_of(const std::string& directory) {
  uint64_t digest = 0;
  for (const std::string& path : files_below(directory)) {
    std::ifstream file(path, std::ios::binary);
    const std::string bytes(std::istreambuf_iterator<char>(file), {});
    digest = digest_of_text(path.substr(directory.size()), digest);
    digest = digest_of_text(bytes, digest);
  }
  return digest;
}

}  // namespace stampede::sim
