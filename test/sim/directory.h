// A directory for a run of the simulator, in memory where there is such a file system; it goes away with its owner.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace stampede::sim {

class Directory {
 public:
  Directory();
  ~Directory();
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;

  const std::string& path() const { return path_; }
  // Makes one in it.
  std::string make(const std::string& name) const;

 private:
  std::string path_;
};

// The paths of all regular files below a directory, sorted.
std::vector<std::string> files_below(const std::string& directory);
// Names, sizes and bytes of all of them: the same number means the same image.
uint64_t digest_of(const std::string& directory);

}  // namespace stampede::sim
