// A directory of a test's own, on a file system with a disk below it (the order log refuses tmpfs),
// and what tests do with files. It goes away with its owner, unless the test failed and KEEP is
// set.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace stampede::servers {

class Scratch {
 public:
  Scratch();
  ~Scratch();
  Scratch(const Scratch&) = delete;

  const std::string& path() const { return path_; }
  std::string path(std::string_view name) const { return path_ + "/" + std::string(name); }

 private:
  std::string path_;
};

std::string read_file(const std::string& path);  // "" if there is none
void write_file(const std::string& path, std::string_view content, unsigned mode = 0600);
void flip_bit(const std::string& path, uint64_t offset, unsigned bit);
// Regular files below `directory` whose name ends so, sorted by path.
std::vector<std::string> files_below(const std::string& directory, std::string_view ending);
bool is_tmpfs(const std::string& directory);

// Whether a check of the running test case has failed; main() keeps it.
bool has_failed();
void note_failure(bool failed);

}  // namespace stampede::servers
