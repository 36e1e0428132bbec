// File systems of the soak's own: ext4 on a loop device. They live in a mount namespace of this process, their files in memory
// of this process, and a loop device detaches itself with its last user. A small process beside the soak breaks its FUSE off
// when it has ended. So whatever ends the soak, kill -9 too, leaves none behind.
#pragma once

#include <cstdint>
#include <string>

#include "../servers/scratch.h"

namespace stampede::soak {

// Root, loop devices and mkfs.ext4: then this process is in a mount namespace of its own. Before any thread. The reason if not.
std::string enter_own_mounts();
bool has_own_mounts();

// A file in memory, which other processes can open by its path while this lives. Not mapped: each fork() would copy the
// tables of its pages, and each write after it a page.
class MemoryFile {
 public:
  explicit MemoryFile(int mebibytes);
  ~MemoryFile();
  MemoryFile(const MemoryFile&) = delete;

  std::string path() const;
  uint64_t size() const { return size_; }
  void read(char* bytes, size_t size, uint64_t offset) const;
  void write(const char* bytes, size_t size, uint64_t offset);
  // What another file of the same size has.
  void copy(const MemoryFile& other);

 private:
  const uint64_t size_;
  const int fd_;
};

// An empty ext4 with a journal in it; its path. Throws Broken.
std::string make_ext4(const MemoryFile& file);

// The ext4 in `file`, mounted at a directory of its own. Throws Broken.
class Mount {
 public:
  explicit Mount(const std::string& file);
  ~Mount();
  Mount(const Mount&) = delete;

  std::string path(const std::string& name) const { return directory_ + "/" + name; }

 private:
  const servers::Scratch scratch_;
  const std::string directory_ = scratch_.path("ext4");
};

}  // namespace stampede::soak
