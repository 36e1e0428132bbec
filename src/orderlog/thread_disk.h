// Writes through a helper thread and pwrite(2), where io_uring is not allowed (old kernels,
// containers whose seccomp profile forbids it). Each write costs two context switches more.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "orderlog/disk.h"

namespace stampede::orderlog {

class ThreadDisk final : public Disk {
 public:
  [[nodiscard]] static Result<std::unique_ptr<Disk>> make();
  ~ThreadDisk() override;

  void adopt(std::span<std::byte>) override {}
  void submit(int fd, uint64_t offset, std::span<const std::byte> bytes) override;
  [[nodiscard]] std::optional<int64_t> poll() override;
  int event_fd() const override { return eventfd_; }
  void drain_events() override;

 private:
  struct Write {
    int fd = -1;
    uint64_t offset = 0;
    std::span<const std::byte> bytes;
  };
  static constexpr int64_t kNoOutcome = INT64_MIN;

  explicit ThreadDisk(int eventfd);
  void run();

  const int eventfd_;
  // Stored by the helper with release, taken by the shard with acquire: nothing of the write is the
  // helper's any more.
  std::atomic<int64_t> outcome_{kNoOutcome};
  std::mutex mutex_;  // guards the next ones
  std::condition_variable work_;
  std::optional<Write> write_;
  bool is_stopping_ = false;
  std::thread helper_;
};

}  // namespace stampede::orderlog
