// One file of a simulated machine: its bytes lie in a real file and are what a process reads; beside them stands what a
// power cut could bring back. A disk writes sectors of 512 bytes, each whole or not at all, in any order.
//
//        durable_size      size
//   ├─────────┬───────────────┤          cut() decides for each sector that is not durable:
//   │ durable │ not durable   │            overwritten   the bytes of before, or those of now
//   └─▲───▲───┴───────────────┘            appended      zeros, or those of now
//     └───┴ overwritten: the bytes of before are kept until they are synced
//
// Only what is not durable is kept twice, so a file that is written with O_DSYNC costs nothing. Whatever its name is, and
// whether it has one, is not its business (stored_names.h).
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "orderlog/files.h"
#include "random.h"

namespace stampede::sim {

constexpr uint64_t kSectorBytes = 512;

class StoredFile {
 public:
  // The real file is there, with `size` bytes, of which `durable_size` would survive a power cut.
  StoredFile(std::string path, uint64_t size, uint64_t durable_size)
      : path_(std::move(path)), size_(size), durable_size_(durable_size) {}

  // Where the real file lies.
  const std::string& path() const { return path_; }
  void set_path(std::string path) { path_ = std::move(path); }
  uint64_t size() const { return size_; }
  bool is_durable() const { return saved_.empty() && lost_.empty() && size_ == durable_size_; }

  // Before bytes are overwritten, and once they are. The caller does the writing.
  void save(uint64_t offset, uint64_t bytes);
  void note_written(uint64_t offset, uint64_t bytes) { size_ = std::max(size_, offset + bytes); }
  // Before the size changes; more of it is zeros.
  void save_for_size(uint64_t size);
  void note_size(uint64_t size) { size_ = size; }

  // Everything is durable (fsync, fdatasync), but for what an earlier sync lost.
  void sync();
  // A sync failed. The kernel holds clean what it could not write: reading shows it, no later sync writes it, and a power cut
  // may bring back what the disk has, until it is written anew.
  void fail_sync();
  // These bytes are, and the size (a write with O_DSYNC).
  void sync(uint64_t offset, uint64_t bytes);

  // Power fails and comes back: the real file is what the disk had of it. Everything is durable then.
  void cut(Random& random);

  // For what follows, while it has a name: a process may write to a file that has lost its own.
  void open() { (void)fd(); }
  // The real file, past all bookkeeping. read() ends at the end of the file.
  std::vector<std::byte> read(uint64_t offset, uint64_t bytes);
  void put(uint64_t offset, std::span<const std::byte> bytes);
  void put_size(uint64_t size);

 private:
  using Sector = std::array<std::byte, kSectorBytes>;

  using Sectors = std::map<uint64_t, Sector>;

  struct Fate;
  Fate decide(Random& random) const;
  void put_sector(uint64_t sector, const Sector& bytes, uint64_t end);
  int fd();

  std::string path_;
  uint64_t size_;
  uint64_t durable_size_;
  Sectors saved_;        // durable bytes that were overwritten or cut off since
  Sectors lost_;         // the same, where a sync failed
  orderlog::File file_;  // for ourselves, opened when it is needed first
};

using StoredFilePtr = std::shared_ptr<StoredFile>;

}  // namespace stampede::sim
