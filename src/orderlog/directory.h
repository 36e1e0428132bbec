// The data directory: whose it is, and that only one process writes to it.
//
//   <data>/lock                          flock; holds the pid of the holder
//   <data>/manifest                      text, key = value; replaced by rename
//   <data>/log/g<generation>/s<stream>/  the files of one stream (files.h)
//
// The manifest holds the key of the users' hash, which decides each user's home shard for the life
// of the data, and the machine, because a copy of the directory on another machine would sell the
// same units again. And it is the witness for the streams' files: the snapshot with which each stream begins, and how far its log
// reached at the last start or stop. So a file that is gone, empty, another stream's or an older copy is noticed, also
// without a database.
//
// Its last line is a checksum of all the others but machine_id, which may be removed by hand and has a sum of its own.
// Version 1 had no sum and no lines about the streams; it is read, and is written as version 2 once a start has found
// that everything fits.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/hash.h"
#include "base/result.h"
#include "orderlog/files.h"
#include "orderlog/format.h"
#include "orderlog/marks.h"

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
  bool is_damage = false;  // the lock is no file: exit with kExitLogDamaged
  std::string message;     // why there is no lock, with the holder's pid
};
// Creates the directory if need be.
[[nodiscard]] LockAttempt lock_directory(const std::string& data_dir);

// Of a directory that is read as it lies: no server may begin in it meanwhile. Makes nothing: no lock and no message where no
// server has ever been.
[[nodiscard]] LockAttempt lock_for_reading(const std::string& data_dir);

constexpr uint32_t kManifestVersion = 2;

struct Manifest {
  uint32_t format_version = kManifestVersion;
  Uuid log_uuid{};
  // The uuid in the batches of this generation: each generation has its own, so that no file of an earlier one can take
  // the place of a later one. The first has the log's; so has one that was made under version 1.
  Uuid stream_uuid{};
  uint32_t node = 0;
  uint32_t shard_count = 0;
  uint32_t generation =
      1;  // of the distribution of slots to streams; rises when shard_count changes
  size_t segment_bytes = bounds::segment_bytes_default;
  // The number of the process that has the directory: by it a shared ledger refuses the processes before. Raised durably
  // before it is used.
  uint64_t boot = 0;
  HashKey hash_key{};
  std::string machine_id;  // empty: the machine has none
  // A start with --accept-loss has cut the log, and the consequences (items paused, a gap in the numbers of orders) are
  // not yet part of the log: the next start goes on with them.
  bool is_loss_pending = false;
  // When this directory was copied from another (ms since 1970 UTC; 0: it was not): orders that the other acknowledged since are
  // not in it. Such a copy has a loss pending from the beginning.
  int64_t copied_ms = 0;
  // The last process to write has stopped in order: each log ends where it is known to end, and nothing was ever written behind it.
  // Taken back, durably, before anything is written again.
  bool is_at_rest = false;
  std::vector<KnownStream> streams;  // by stream; version 1: nothing is known
  // By stream, where those of the generation before ended: a database that knows only these is held against them. Empty: the
  // number of shards was never another, or a version that did not note the ends has changed it.
  std::vector<StreamEnd> ended;

  friend bool operator==(const Manifest&, const Manifest&) = default;
};

// A new log's: fresh uuid and key, this machine.
[[nodiscard]] Manifest new_manifest(uint32_t node, uint32_t shard_count, size_t segment_bytes);

// The manifest for another number of shards: the next generation, whose streams begin with snapshots that are still to be
// written and noted. `ends`: of the present streams.
[[nodiscard]] Manifest next_generation(const Manifest& manifest, uint32_t shard_count,
                                       const std::vector<Position>& ends);

// The manifest of a copy that is made now. How far its streams reach is still to be noted.
[[nodiscard]] Manifest manifest_of_copy(const Manifest& original, int64_t now_ms);

// Notes how far a stream's log reaches; its files are there from now on.
void note_log_end(KnownStream& known, const Position& end);

// nullopt: the directory is new. An error names the line that is wrong (then it is damage), and for another version or
// another machine the remedy.
// `any_machine`: for tools that only read, which may look at a copy.
[[nodiscard]] Result<std::optional<Manifest>> read_manifest(const std::string& data_dir,
                                                            bool any_machine = false);
// Makes the directories of its streams, then replaces the manifest atomically and durably. The
// caller holds the lock.
[[nodiscard]] Status write_manifest(const std::string& data_dir, const Manifest& manifest);

// Whether the directory has all streams of the manifest, and no more: each stream's directory is there, no stream beyond the
// last and no later generation has a log. Reads names only. An Error is damage and names the place.
[[nodiscard]] Status check_streams(const std::string& data_dir, const Manifest& manifest);
// The same for a directory without a manifest: it holds no log.
[[nodiscard]] Status check_new(const std::string& data_dir);

// Removes the streams of generations before the manifest's, which nothing reads any more; the manifest is durable. Returns the
// generations that are gone. After an error or a crash in the midst of it, the next call goes on.
[[nodiscard]] Result<uint32_t> remove_generations_before(const std::string& data_dir,
                                                         const Manifest& manifest);

// /etc/machine-id, or empty.
[[nodiscard]] std::string this_machine_id();

// The files of one stream of the manifest's generation, with the manifest's facts about it.
[[nodiscard]] StreamFiles stream_files(const std::string& data_dir, const Manifest& manifest,
                                       uint32_t stream);

}  // namespace stampede::orderlog
