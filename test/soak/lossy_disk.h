// A disk in memory that does what disks do when they fail: a file served by FUSE, in which a loop device and a file system
// stand. What was written and not flushed may be lost at a power cut; reads and writes may fail, or take their time.
//
//   stampede ─ ext4 ─ loop ─ FUSE ─ current_, and unflushed_ since the last flush over durable_
//
// The loop device knows no write that passes the cache (FUA); the kernel flushes after one instead. So a write is durable when
// a flush that began after it has ended, and only then.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "dice.h"
#include "mount.h"

struct fuse;

namespace stampede::soak {

class LossyDisk {
 public:
  static constexpr int kMebibytes = 64;
  static constexpr uint64_t kBytes = uint64_t{kMebibytes} << 20;

  // With a copy of `image`, which is as large, on it. Throws Broken where FUSE is missing.
  explicit LossyDisk(const MemoryFile& image);
  ~LossyDisk();
  LossyDisk(const LossyDisk&) = delete;

  std::string file() const { return scratch_.path("fuse/disk"); }

  // From now on everything fails, and nothing that is written counts: the power is gone.
  void cut();
  // When nobody has the file open. After cut() each unflushed block is there or is not, in the order in which they were
  // written. The power is back, and what failed is mended.
  void restore(Dice& dice);
  uint64_t lost_blocks() const { return lost_blocks_; }  // since it was made

  // Writes and flushes fail with EIO, until mended.
  void fail();
  void mend();
  // Every operation waits, until resumed.
  void stall();
  void resume();

  // What the file system of this process' FUSE thread calls.
  int read(char* bytes, size_t size, uint64_t offset);
  int write(const char* bytes, size_t size, uint64_t offset);
  int flush();
  uint64_t size() const { return kBytes; }

 private:
  struct Write {
    uint64_t offset;
    std::vector<char> bytes;
  };
  void lose(Dice& dice);
  void keep_or_lose(const Write& write, uint64_t block, double chance_to_stay, Dice& dice);

  const servers::Scratch scratch_;
  std::mutex mutex_;
  std::condition_variable is_resumed_;
  MemoryFile durable_{kMebibytes}, current_{kMebibytes};
  std::vector<Write> unflushed_;
  bool is_cut_ = false, fails_ = false, is_stalled_ = false;
  uint64_t lost_blocks_ = 0;
  fuse* fuse_ = nullptr;
  std::thread thread_;
};

}  // namespace stampede::soak
