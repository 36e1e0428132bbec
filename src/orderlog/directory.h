// The data directory: whose it is, and that only one process writes to it.
//
//   <data>/lock                          flock; holds the pid of the holder
//   <data>/manifest                      text, key = value; replaced by rename
//   <data>/log/g<generation>/s<stream>/  the files of one stream (files.h)
//
// The manifest holds the key of the users' hash, which decides each user's home shard for the life
// of the data, and the machine, because a copy of the directory on another machine would sell the
// same units again.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/hash.h"
#include "base/result.h"
#include "orderlog/files.h"
#include "orderlog/format.h"

namespace stampede::orderlog {

// The right to write. Held until the object or the process ends, however it ends.
class DirectoryLock {
 public:
  explicit DirectoryLock(File file) : file_(std::move(file)) {}

 private:
  File file_;
};

struct LockAttempt {
  std::optional<DirectoryLock> lock;
  bool is_in_use = false;  // another process holds it: exit with kExitDirInUse
  std::string message;     // why there is no lock, with the holder's pid
};
// Creates the directory if need be.
[[nodiscard]] LockAttempt lock_directory(const std::string& data_dir);

struct Manifest {
  uint32_t format_version = kFormatVersion;
  Uuid log_uuid{};
  uint32_t node = 0;
  uint32_t shard_count = 0;
  uint32_t generation =
      1;  // of the distribution of slots to streams; rises when shard_count changes
  size_t segment_bytes = bounds::segment_bytes_default;
  // Which process has the directory, for a ledger that is shared: it must tell this one from those before. Raised durably
  // before it is used.
  uint64_t boot = 0;
  HashKey hash_key{};
  std::string machine_id;  // empty: the machine has none

  friend bool operator==(const Manifest&, const Manifest&) = default;
};

// A new log's: fresh uuid and key, this machine.
[[nodiscard]] Manifest new_manifest(uint32_t node, uint32_t shard_count, size_t segment_bytes);

// nullopt: the directory is new. An error says which line is wrong, and for another version or
// another machine what to do about it.
// `any_machine`: for tools that only read, which may look at a copy.
[[nodiscard]] Result<std::optional<Manifest>> read_manifest(const std::string& data_dir,
                                                            bool any_machine = false);
// Makes the directories of its streams, then replaces the manifest atomically and durably. The
// caller holds the lock.
[[nodiscard]] Status write_manifest(const std::string& data_dir, const Manifest& manifest);

// /etc/machine-id, or empty.
[[nodiscard]] std::string this_machine_id();

// The files of one stream of the manifest's generation.
[[nodiscard]] StreamFiles stream_files(const std::string& data_dir, const Manifest& manifest,
                                       uint32_t stream);

}  // namespace stampede::orderlog
