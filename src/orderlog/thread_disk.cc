#include "orderlog/thread_disk.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>

#include "base/check.h"
#include "base/thread.h"
#include "orderlog/files.h"

namespace stampede::orderlog {

Result<std::unique_ptr<Disk>> ThreadDisk::make() {
  const int event = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (event < 0) return errno_error("eventfd", errno);
  return std::unique_ptr<Disk>(new ThreadDisk(event));
}

ThreadDisk::ThreadDisk(int eventfd)
    : eventfd_(eventfd), helper_(start_thread("writing the order log", [this] { run(); })) {}

ThreadDisk::~ThreadDisk() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  work_.notify_one();
  helper_.join();
  ::close(eventfd_);
}

void ThreadDisk::submit(int fd, uint64_t offset, std::span<const std::byte> bytes) {
  {
    const std::lock_guard lock(mutex_);
    CHECK(!write_);
    write_ = Write{fd, offset, bytes};
  }
  work_.notify_one();
}

std::optional<int64_t> ThreadDisk::poll() {
  if (outcome_.load(std::memory_order_relaxed) == kNoOutcome) return std::nullopt;
  return outcome_.exchange(kNoOutcome, std::memory_order_acquire);
}

void ThreadDisk::drain_events() {
  uint64_t events = 0;
  CHECK(::read(eventfd_, &events, sizeof events) == sizeof events || errno == EAGAIN);
}

void ThreadDisk::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    work_.wait(lock, [&] { return write_ || is_stopping_; });
    if (!write_) return;
    const Write write = *std::exchange(write_, std::nullopt);
    lock.unlock();
    // Once, not in a loop: the writer decides about a short write, and ends the process.
    const ssize_t bytes = ::pwrite(write.fd, write.bytes.data(), write.bytes.size(),
                                   static_cast<off_t>(write.offset));
    outcome_.store(bytes < 0 ? -errno : bytes, std::memory_order_release);
    const uint64_t one = 1;
    CHECK(::write(eventfd_, &one, sizeof one) == sizeof one);
    lock.lock();
  }
}

}  // namespace stampede::orderlog
