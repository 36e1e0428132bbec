// A disk in the test's hand. The files of a stream lie in a scratch directory and hold exactly what is durable: a write
// reaches its file when the test lets it complete, and not before. So a power cut at any moment is played by leaving
// everything as it is and recovering from the files.
//
//   submit() ──▶ in flight ── complete() ──▶ in the file, outcome: its bytes
//                    │ ────── fail(EIO) ───▶ not in the file, outcome: −EIO
//                    │ ────── cut_short(n) ▶ n bytes in the file, outcome: n
//                    └─────── tear(n) ─────▶ n bytes in the file and no outcome: a power cut in the middle of it
//
// By default each write is done at the first look. One thread.
#pragma once

#include <optional>
#include <span>

#include "orderlog/disk.h"

namespace stampede::world {

class FakeDisk final : public orderlog::Disk {
 public:
  FakeDisk();
  ~FakeDisk() override;

  // A write is done at the n-th poll() behind its submit(); 0: only when the test says so.
  void set_polls_per_write(uint32_t polls) { polls_per_write_ = polls; }

  // The write in flight; there must be one without an outcome.
  void complete();
  void fail(int error);
  void cut_short(size_t bytes);
  void tear(size_t bytes);
  // The next write will fail like this, at its time.
  void fail_next(int error) { next_error_ = error; }

  bool is_writing() const { return !in_flight_.bytes.empty(); }
  uint64_t writes() const { return writes_; }

  // orderlog::Disk
  void adopt(std::span<std::byte>) override {}
  void submit(int fd, uint64_t offset, std::span<const std::byte> bytes) override;
  [[nodiscard]] std::optional<int64_t> poll() override;
  int event_fd() const override { return event_; }
  void drain_events() override;

 private:
  struct InFlight {
    int fd = -1;
    uint64_t offset = 0;
    std::span<const std::byte> bytes;
    uint32_t polls = 0;
  };

  void put(size_t bytes);
  void end(int64_t outcome);

  int event_;
  uint32_t polls_per_write_ = 1;
  int next_error_ = 0;
  InFlight in_flight_;
  std::optional<int64_t> outcome_;
  uint64_t writes_ = 0;
};

}  // namespace stampede::world
