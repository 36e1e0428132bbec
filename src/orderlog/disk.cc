// Which disk, found out by writing one block each way in a scratch file: a kernel, a sandbox
// or a file system cannot always do all that it claims.
#include "orderlog/disk.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include "orderlog/files.h"
#include "orderlog/thread_disk.h"
#include "orderlog/uring_disk.h"

namespace stampede::orderlog {
namespace {

// A file of two blocks that vanishes with its owner.
class ScratchFile {
 public:
  explicit ScratchFile(const std::string& directory) : path_(directory + "/.disk-probe-XXXXXX") {
    fd_ = ::mkstemp(path_.data());
    error_ = fd_ < 0 ? errno : 0;
    if (fd_ >= 0 && ::ftruncate(fd_, 2 * bounds::log_block_bytes) != 0) error_ = errno;
  }
  ~ScratchFile() {
    if (fd_ < 0) return;
    ::close(fd_);
    ::unlink(path_.c_str());
  }
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;

  const std::string& path() const { return path_; }
  int error() const { return error_; }

 private:
  std::string path_;
  int fd_ = -1;
  int error_ = 0;
};

// Writes one block through `disk` with these flags. 0 or errno.
int try_write(Disk& disk, const std::string& path, int open_flags) {
  const File file(::open(path.c_str(), open_flags));
  if (!file.is_open()) return errno;
  const AlignedBuffer block(bounds::log_block_bytes);
  disk.submit(file.fd(), 0, block.bytes());
  std::optional<int64_t> outcome;
  while (!(outcome = disk.poll())) {
    pollfd event{.fd = disk.event_fd(), .events = POLLIN};
    ::poll(&event, 1, -1);
    disk.drain_events();
  }
  if (*outcome < 0) return static_cast<int>(-*outcome);
  return *outcome == static_cast<int64_t>(bounds::log_block_bytes) ? 0 : EIO;
}

// Which flags work with this disk, the best first. 0 or the errno of the last try.
int find_flags(Disk& disk, const std::string& path, DiskPlan& plan) {
  const int flags = O_WRONLY | O_CLOEXEC | O_NOFOLLOW;
  if (plan.durability == Durability::os) {
    plan.open_flags = flags;
    return try_write(disk, path, flags);
  }
  plan.open_flags = flags | O_DSYNC | O_DIRECT;
  plan.is_direct = try_write(disk, path, plan.open_flags) == 0;
  if (plan.is_direct) return 0;
  plan.open_flags = flags | O_DSYNC;
  return try_write(disk, path, plan.open_flags);
}

bool forgets_at_power_loss(const std::string& directory) {
  struct statfs facts;
  if (::statfs(directory.c_str(), &facts) != 0) return false;
  return facts.f_type == TMPFS_MAGIC || facts.f_type == RAMFS_MAGIC;
}

std::string describe(const DiskPlan& plan, const std::string& why_no_uring) {
  std::string text = "order log: each write ";
  if (plan.durability == Durability::os)
    text += "ends with the kernel (--durability os: survives the process, not the power)";
  else if (plan.is_direct)
    text += "is durable when it ends (O_DIRECT, O_DSYNC)";
  else
    text += "is durable when it ends (O_DSYNC through the page cache: no O_DIRECT here)";
  text += plan.has_uring ? ", by io_uring" : ", by a helper thread (" + why_no_uring + ")";
  return text;
}

Status refuse_memory(const std::string& directory, Durability durability) {
  if (durability != Durability::fsync || !forgets_at_power_loss(directory)) return Ok{};
  return Error{directory +
               " is in memory (tmpfs), where nothing survives a power cut: put --data on a disk, "
               "or say --durability os"};
}

}  // namespace

Status check_directory(const std::string& directory, Durability durability) {
  std::error_code gone, absent;  // the working directory, and what is not made yet
  std::filesystem::path there = std::filesystem::absolute(directory, gone);
  if (gone) return Error{directory + ": " + gone.message()};
  while (!std::filesystem::exists(there, absent) && there.has_relative_path())
    there = there.parent_path();
  if (::access(there.c_str(), W_OK | X_OK) != 0)
    return errno_error("write a file in " + there.string(), errno);
  return refuse_memory(there, durability);
}

Result<DiskPlan> plan_disk(const std::string& directory, Durability durability) {
  if (Status lasting = refuse_memory(directory, durability); !lasting) return lasting.error();
  const ScratchFile scratch(directory);
  if (scratch.error() != 0) return errno_error("write a file in " + directory, scratch.error());

  DiskPlan plan{.durability = durability};
  std::string why_no_uring;
  if (Result<std::unique_ptr<Disk>> uring = UringDisk::make(); !uring) {
    why_no_uring = uring.error().message;
  } else {
    const int error = find_flags(**uring, scratch.path(), plan);
    plan.has_uring = error == 0;
    if (error != 0) why_no_uring = errno_error("io_uring write", error).message;
  }
  if (!plan.has_uring) {
    Result<std::unique_ptr<Disk>> thread = ThreadDisk::make();
    if (!thread) return thread.error();
    const int error = find_flags(**thread, scratch.path(), plan);
    if (error != 0) return errno_error("write a file in " + directory, error);
  }
  plan.description = describe(plan, why_no_uring);
  return plan;
}

Result<std::unique_ptr<Disk>> make_disk(const DiskPlan& plan) {
  return plan.has_uring ? UringDisk::make() : ThreadDisk::make();
}

}  // namespace stampede::orderlog
