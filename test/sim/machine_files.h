// One simulated machine's directory: what a process does with files below it, what of that is durable, and what becomes of
// it when the process or the power ends.
//
//            calls of a node (files.h)
//                    │
//      faults ──▶ the call, done with the real files below `root` ──▶ StoredNames, StoredFile: what is not durable
//                    │
//   running ─ kill(), cut_power() ─▶ ended: the process may finish its turn on the files as it sees them; restore()
//      ▲                              │     takes back all that it did since
//      └───────── restore() ──────────┘
//
// kill() keeps everything that the process did: the page cache survives, and what was not durable still is not.
// cut_power() keeps what the disk had: all that was synced, a prefix of the changes of names, and of the bytes that were
// not synced what chance makes of each sector. The same chance brings back the same image.
//
// A database's files may lie in the directory too. Their calls are not seen (SQLite's library makes them itself), so they
// are always as they are, and durable.
//
// Beside `root` it has `root`.graves, `root`.copy and `root`.older. One thread at a time (files.h locks).
#pragma once

#include <dirent.h>
#include <sys/types.h>

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "faults.h"
#include "random.h"
#include "stored_names.h"

namespace stampede::sim {

class MachineFiles;

// A descriptor that a process holds.
struct OpenFile {
  MachineFiles* machine = nullptr;
  StoredFilePtr file;  // null: the directory `path`
  std::string path;    // by which it was opened
  int flags = 0;
};

// Writes that go on while the process does something else (disk.h).
class InFlight {
 public:
  virtual ~InFlight() = default;
  // When the next one is done (boot time); nullopt: none is under way.
  virtual std::optional<int64_t> due_ns() const = 0;
  // Does what is due.
  virtual void settle() = 0;
  // The one under way, or the next one, takes so much longer.
  virtual void stall(int64_t ns) = 0;
  // The process has ended; its files are not frozen yet. What is due is settled. What a kill leaves of a write is read by the
  // next start, and is not durable.
  virtual void on_power_cut(Random& random) = 0;
  virtual void on_kill(Random& random) = 0;
};

class MachineFiles {
 public:
  // `root` is there; it is durable, as is what lies below it now.
  MachineFiles(std::string root, std::function<void(int64_t)> stall);
  ~MachineFiles();
  MachineFiles(const MachineFiles&) = delete;
  MachineFiles& operator=(const MachineFiles&) = delete;

  const std::string& root() const { return root_; }
  bool owns(std::string_view path) const;

  // ---- ends and beginnings ----

  // The process has ended, or ends with this turn.
  void kill(Random& random);
  // The machine has; also when its process was killed before and the directory is not restored yet.
  void cut_power(Random& random);
  bool has_ended() const { return has_ended_; }
  // The next start finds this. Behind kill() or cut_power(), when the process's objects are gone. Descriptors that it
  // leaked are closed (FileSystem does it), as a kernel does.
  void restore();

  // An operator's copy of the directory as it is, and that copy put back in its place, which is durable at once. The process
  // has ended and is restored, or saves while it runs.
  enum class Copy : uint8_t { newest, older };
  void save_copy(Copy which = Copy::newest);
  void restore_copy(Copy which = Copy::newest);
  bool has_copy(Copy which = Copy::newest) const { return has_copy_[static_cast<size_t>(which)]; }

  // ---- what goes wrong ----

  void fail(const Fault& fault) { faults_.add(fault); }
  // Everything that grows fails with this (ENOSPC, EDQUOT) when `bytes` more have been taken; names and bytes that are there
  // may change.
  void fill_up(int error, uint64_t bytes = 0);
  // No fault waits any more, and there is room.
  void heal();
  bool has_faults() const { return !faults_.is_empty() || full_error_ != 0; }
  uint64_t faults_met() const { return faults_.met() + times_full_; }

  // ---- its disks ----

  // When the next of their writes is done; nullopt: none is under way. Its owner turns the clock there and settles.
  std::optional<int64_t> due_ns() const;
  void settle_writes();
  // The writes under way, or the next ones, take so much longer. A log's writer gives up at bounds::log_write_watchdog_ms.
  void stall_writes(int64_t ns);

  // ---- what stands beside ----

  void add(InFlight& in_flight) { in_flight_.push_back(&in_flight); }
  void remove(InFlight& in_flight) { std::erase(in_flight_, &in_flight); }
  // Files as they are, past all faults; for damage (damage.h).
  StoredFilePtr find(const std::string& path) { return names_.find(path); }
  void remove_durably(const std::string& path);

  // ---- calls: as those of the C library, with errno ----

  int open(const std::string& path, int flags, mode_t mode, OpenFile& opened);
  ssize_t read(const OpenFile& open, int fd, void* into, size_t bytes, off_t offset);
  ssize_t write(const OpenFile& open, const void* from, size_t bytes, off_t offset);
  int sync(const OpenFile& open, bool is_data_only);
  int set_size(const OpenFile& open, int fd, off_t size);
  int allocate(const OpenFile& open, int fd, int mode, off_t offset, off_t bytes);
  int rename(const std::string& from, const std::string& to);
  int remove(const std::string& path);
  int make_directory(const std::string& path, mode_t mode);
  int remove_directory(const std::string& path);
  DIR* list(const std::string& path);

 private:
  // Bytes and size that a file had, for what is done behind the end.
  struct Undo {
    StoredFilePtr file;
    uint64_t offset = 0;
    std::vector<std::byte> bytes;
    uint64_t size = 0;
  };

  int open_file(const std::string& path, int flags, mode_t mode, OpenFile& opened);
  int fault_of_open(const std::string& path, int flags, bool is_new);
  void end(const std::function<void(InFlight&)>& tell);
  void lose_what_is_not_durable();
  void before_write(const StoredFilePtr& file, uint64_t offset, uint64_t bytes);
  void before_size(const StoredFilePtr& file, uint64_t size);
  void note_undo(const StoredFilePtr& file, uint64_t offset, uint64_t bytes);
  void put(const OpenFile& open, std::span<const std::byte> bytes, uint64_t offset);
  uint64_t take_room(const StoredFile& file, uint64_t end);
  bool has_room_for_a_name();
  [[nodiscard]] std::string directory_of_copy(Copy which) const;

  const std::string root_;
  Faults faults_;
  StoredNames names_;
  std::vector<InFlight*> in_flight_;

  int full_error_ = 0;
  uint64_t room_bytes_ = 0;  // while full_error_ is set
  uint64_t times_full_ = 0;

  bool is_flushing_ = true;  // a write with O_DSYNC is durable
  bool has_ended_ = false;
  std::optional<uint64_t> cut_seed_;  // the power was cut
  size_t names_at_end_ = 0;           // changes of names that were pending
  std::vector<Undo> undo_;
  std::array<bool, 2> has_copy_{};
};

}  // namespace stampede::sim
