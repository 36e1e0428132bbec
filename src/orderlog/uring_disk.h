// Writes through io_uring: one submission a batch, the outcome through an eventfd and shared
// memory.
//
// With DEFER_TASKRUN (Linux 6.1) the kernel's completion work runs on the shard's thread and only
// when it asks, so a completion interrupts no turn. Then a look at the completion ring alone would
// never see anything: with TASKRUN_FLAG the kernel sets a flag in shared memory when there is work, and
// only then does poll() enter it.
//
// The ring is made disabled and enabled by the first submit(), because SINGLE_ISSUER ties it to the
// thread that enables it, and the shard's thread is not the one that makes the disk.
#pragma once

#include <liburing.h>

#include "orderlog/disk.h"

namespace stampede::orderlog {

class UringDisk final : public Disk {
 public:
  // An error when the kernel or a sandbox allows no ring.
  [[nodiscard]] static Result<std::unique_ptr<Disk>> make();
  ~UringDisk() override;

  void adopt(std::span<std::byte> buffers) override;
  void submit(int fd, uint64_t offset, std::span<const std::byte> bytes) override;
  [[nodiscard]] std::optional<int64_t> poll() override;
  int event_fd() const override { return eventfd_; }
  void drain_events() override;

 private:
  UringDisk(const io_uring& ring, int eventfd) : ring_(ring), eventfd_(eventfd) {}

  io_uring ring_;
  int eventfd_;
  std::span<const std::byte> registered_;  // memory that the kernel has pinned for us
  bool is_enabled_ = false;
  bool is_in_flight_ = false;
  std::optional<int64_t> refused_;  // the ring did not even take the write
};

}  // namespace stampede::orderlog
