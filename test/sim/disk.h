// The disk of a stream's writer in simulated time: each write takes as long as chance says, and its bytes are in the file
// when it is done and not before. What the file is worth then (O_DSYNC or not) is machine_files.h's to say, as are its
// faults: an error or a short write that waits for a write to a segment becomes this write's outcome.
//
//   submit() ─▶ in flight ─ due_ns() ─▶ settle(): the bytes, the outcome, the event ─▶ poll()
//                  ├─ power cut ─▶ none of it, all of it, or any of its sectors
//                  └─ kill ──────▶ none of it, all of it, or its first sectors, not flushed
//
// A process that has ended finds its write done, so that its objects can be taken apart: nothing that it does then reaches
// anybody.
//
// One thread. Its owner turns the clock to due_ns() and calls settle() then (MachineFiles has both for all of a machine's
// disks); poll() settles too.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "base/clock.h"
#include "machine_files.h"
#include "orderlog/disk.h"

namespace stampede::sim {

// How long writes take: most between min and max, one of `slow_one_in` up to slow_ns_max (0: none).
struct DiskSpeed {
  int64_t ns_min = 50'000;
  int64_t ns_max = 2 * kMillisecond;
  uint64_t slow_one_in = 50;
  int64_t slow_ns_max = 200 * kMillisecond;
};

// What plan_disk() would find on a disk that can do everything.
orderlog::DiskPlan disk_plan(orderlog::Durability durability);

class SimDisk final : public orderlog::Disk, public InFlight {
 public:
  // All outlive the disk. The same seed makes the same times.
  SimDisk(Clock& clock, MachineFiles& machine, uint64_t seed, const DiskSpeed& speed = {});
  ~SimDisk() override;
  SimDisk(const SimDisk&) = delete;
  SimDisk& operator=(const SimDisk&) = delete;

  // ---- its owner ----

  [[nodiscard]] std::optional<int64_t> due_ns() const override;
  void settle() override;
  void stall(int64_t ns) override;
  // The next write ends with this errno. EINTR and EAGAIN: it never began. Otherwise any of its sectors may be written.
  void fail_next(int error) { next_error_ = error; }
  // The next write ends when some of its first sectors are written, and says so.
  void cut_short_next() { is_next_short_ = true; }
  [[nodiscard]] uint64_t writes() const { return writes_; }

  // ---- orderlog::Disk ----

  void adopt(std::span<std::byte>) override {}
  void submit(int fd, uint64_t offset, std::span<const std::byte> bytes) override;
  [[nodiscard]] std::optional<int64_t> poll() override;
  int event_fd() const override { return event_; }
  void drain_events() override;

 private:
  struct Write {
    OpenFile open;
    uint64_t offset = 0;
    std::span<const std::byte> bytes;  // empty: nothing is in flight
    int64_t due_ns = 0;
  };

  void on_power_cut(Random& random) override;
  void on_kill(Random& random) override;

  int64_t draw_ns();
  int64_t perform();
  int64_t put(uint64_t first_sector, uint64_t sectors);
  void put_any(Random& random);
  uint64_t sectors() const { return write_.bytes.size() / kSectorBytes; }
  void end(int64_t outcome);

  Clock& clock_;
  MachineFiles& machine_;
  Random random_;
  const DiskSpeed speed_;
  int event_;
  Write write_;
  std::optional<int64_t> outcome_;
  int64_t stall_ns_ = 0;
  int next_error_ = 0;
  bool is_next_short_ = false;
  uint64_t writes_ = 0;
  size_t last_bytes_ = 0;  // of the last write
};

}  // namespace stampede::sim
