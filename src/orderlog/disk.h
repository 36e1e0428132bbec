// The disk as a stream's writer sees it: one write in flight, asked once per turn whether it is
// durable. A seam, so that tests and the simulator can fail, shorten and delay writes; UringDisk
// and ThreadDisk are the real ones.
//
// Whether a completed write is on the platter or in the page cache is decided by how its file was
// opened (DiskPlan::open_flags): O_DSYNC puts durability into the write itself, so there is no
// separate fsync to fail or to order. A fallocated, zero-filled file written with O_DIRECT|O_DSYNC
// did 4,730 commits a second where append and fdatasync did 2,400 (ext4, 2-core VM).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/result.h"

namespace stampede::orderlog {

// Belongs to the thread that first submits; made and destroyed by any.
class Disk {
 public:
  virtual ~Disk() = default;

  // Before the first submit(): the memory from which all writes will come. It outlives the disk's
  // last write.
  virtual void adopt(std::span<std::byte> buffers) = 0;

  // Starts writing; nothing may be in flight. The bytes stay as they are until poll() returns the
  // outcome.
  virtual void submit(int fd, uint64_t offset, std::span<const std::byte> bytes) = 0;

  // The outcome of the write in flight, once: bytes written, or −errno. nullopt: not yet, or
  // nothing in flight. Without an outcome it costs some ns and no system call.
  [[nodiscard]] virtual std::optional<int64_t> poll() = 0;

  // Readable (level-triggered) from an outcome until drain_events(): the reactor sleeps on it.
  virtual int event_fd() const = 0;
  // Whenever an event of event_fd() came; then poll().
  virtual void drain_events() = 0;
};

enum class Durability : uint8_t {
  fsync,  // an outcome means: on stable storage
  os,     // an outcome means: with the kernel; survives the process, not the power
};

// How this machine will write, found out once at start by trying.
struct DiskPlan {
  Durability durability = Durability::fsync;
  bool has_uring = false;
  bool is_direct = false;
  int open_flags = 0;       // for segment files
  std::string description;  // one line for the operator
};

// Tries which disk works in `directory` with a scratch file, which is removed. The error: why no
// promise can be kept there (a tmpfs with Durability::fsync), and the remedy.
[[nodiscard]] Result<DiskPlan> plan_disk(const std::string& directory, Durability durability);

// The checks that need no write: the directory, or the one in which it is to be made, lies on a disk and may be written.
[[nodiscard]] Status check_directory(const std::string& directory, Durability durability);

// One for each stream.
[[nodiscard]] Result<std::unique_ptr<Disk>> make_disk(const DiskPlan& plan);

}  // namespace stampede::orderlog
