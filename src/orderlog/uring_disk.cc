#include "orderlog/uring_disk.h"

#include <sched.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>

#include "base/check.h"
#include "orderlog/files.h"

namespace stampede::orderlog {
namespace {

constexpr unsigned kEntries = 4;  // one write is in flight; the kernel rounds up anyway

// Best first; an older kernel answers EINVAL to flags that it does not know.
constexpr unsigned kSetups[] = {
    IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_DEFER_TASKRUN |
        IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_R_DISABLED,
    IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_R_DISABLED,
    IORING_SETUP_R_DISABLED,
};

int open_ring(io_uring& ring) {
  int result = -EINVAL;
  for (const unsigned flags : kSetups) {
    result = io_uring_queue_init(kEntries, &ring, flags);
    if (result != -EINVAL) break;
  }
  return result;
}

// The same as io_uring_enable_rings(), which Debian 12's shared library does not export.
bool enable(const io_uring& ring) {
  return ::syscall(SYS_io_uring_register, ring.ring_fd, IORING_REGISTER_ENABLE_RINGS, nullptr, 0) ==
         0;
}

bool lies_within(std::span<const std::byte> bytes, std::span<const std::byte> memory) {
  return bytes.data() >= memory.data() &&
         bytes.data() + bytes.size() <= memory.data() + memory.size();
}

}  // namespace

Result<std::unique_ptr<Disk>> UringDisk::make() {
  io_uring ring;
  if (const int result = open_ring(ring); result < 0) return errno_error("io_uring", -result);
  const int event = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  const int result = event < 0 ? -errno : io_uring_register_eventfd(&ring, event);
  if (result < 0) {
    if (event >= 0) ::close(event);
    io_uring_queue_exit(&ring);
    return errno_error("eventfd for io_uring", -result);
  }
  return std::unique_ptr<Disk>(new UringDisk(ring, event));
}

UringDisk::~UringDisk() {
  CHECK(!is_in_flight_);
  io_uring_queue_exit(&ring_);
  ::close(eventfd_);
}

// Registered memory is pinned once instead of page by page for every write. Where the limit on
// locked memory forbids it (RLIMIT_MEMLOCK), plain writes do the same more slowly.
void UringDisk::adopt(std::span<std::byte> buffers) {
  const iovec memory{buffers.data(), buffers.size()};
  if (io_uring_register_buffers(&ring_, &memory, 1) == 0) registered_ = buffers;
}

void UringDisk::submit(int fd, uint64_t offset, std::span<const std::byte> bytes) {
  CHECK(!is_in_flight_);
  CHECK(!refused_);
  if (!is_enabled_) CHECK(enable(ring_));
  is_enabled_ = true;

  io_uring_sqe* const entry = io_uring_get_sqe(&ring_);
  CHECK(entry != nullptr);
  const auto size = static_cast<unsigned>(bytes.size());
  if (lies_within(bytes, registered_))
    io_uring_prep_write_fixed(entry, fd, bytes.data(), size, offset, 0);
  else
    io_uring_prep_write(entry, fd, bytes.data(), size, offset);

  // EAGAIN here is the ring short of memory, not the file: the entry stays queued and must not be
  // made twice. A kernel that goes on refusing has failed the write.
  int result = 0;
  for (int attempt = 0; attempt < 1000; ++attempt) {
    result = io_uring_submit(&ring_);
    if (result != -EINTR && result != -EAGAIN && result != -EBUSY) break;
    ::sched_yield();
  }
  if (result == 1)
    is_in_flight_ = true;
  else
    refused_ = -ENOMEM;
}

std::optional<int64_t> UringDisk::poll() {
  if (refused_) return std::exchange(refused_, std::nullopt);
  if (!is_in_flight_) return std::nullopt;
  io_uring_cqe* done = nullptr;
  // Enters the kernel only when the ring's flags show that it has work for us.
  if (io_uring_peek_cqe(&ring_, &done) != 0) return std::nullopt;
  const int64_t outcome = done->res;
  io_uring_cqe_seen(&ring_, done);
  is_in_flight_ = false;
  return outcome;
}

void UringDisk::drain_events() {
  uint64_t events = 0;
  CHECK(::read(eventfd_, &events, sizeof events) == sizeof events || errno == EAGAIN);
}

}  // namespace stampede::orderlog
