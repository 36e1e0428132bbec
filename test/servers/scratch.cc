#include "scratch.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace stampede::servers {
namespace {

namespace fs = std::filesystem;

std::atomic<bool> current_test_failed{false};

std::string scratch_root() {
  std::vector<std::string> candidates{"/tmp", "/var/tmp"};
  if (const char* wish = std::getenv("TMPDIR")) candidates.insert(candidates.begin(), wish);
  for (const std::string& candidate : candidates)
    if (access(candidate.c_str(), W_OK) == 0 && !is_tmpfs(candidate)) return candidate;
  return fs::read_symlink("/proc/self/exe").parent_path();
}

}  // namespace

Scratch::Scratch() {
  path_ = scratch_root() + "/stampede-test-XXXXXX";
  REQUIRE(mkdtemp(path_.data()) != nullptr);
}

Scratch::~Scratch() {
  if (has_failed() && std::getenv("KEEP") != nullptr) {
    std::fprintf(stderr, "kept: %s\n", path_.c_str());
    return;
  }
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream content;
  content << in.rdbuf();
  return std::move(content).str();
}

void write_file(const std::string& path, std::string_view content, unsigned mode) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
  REQUIRE(chmod(path.c_str(), mode) == 0);
}

void flip_bit(const std::string& path, uint64_t offset, unsigned bit) {
  int fd = open(path.c_str(), O_RDWR | O_CLOEXEC);
  REQUIRE(fd >= 0);
  char byte;
  REQUIRE(pread(fd, &byte, 1, offset) == 1);
  byte ^= static_cast<char>(1 << bit);
  REQUIRE(pwrite(fd, &byte, 1, offset) == 1);
  close(fd);
}

std::vector<std::string> files_below(const std::string& directory, std::string_view ending) {
  std::vector<std::string> found;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    std::string path = entry.path();
    if (entry.is_regular_file() && path.size() >= ending.size() &&
        path.compare(path.size() - ending.size(), ending.size(), ending) == 0)
      found.push_back(path);
  }
  std::sort(found.begin(), found.end());
  return found;
}

bool is_tmpfs(const std::string& directory) {
  struct statfs info;
  return statfs(directory.c_str(), &info) == 0 &&
         (info.f_type == TMPFS_MAGIC || info.f_type == RAMFS_MAGIC);
}

bool has_failed() {
  return current_test_failed.load();
}
void note_failure(bool failed) {
  current_test_failed.store(failed);
}

}  // namespace stampede::servers
