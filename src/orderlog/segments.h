// Segment files, made ready before they are needed: a shard never waits for a file system to find
// room.
//
// One helper thread for all streams prepares each segment: .tmp, fallocate, zeros written,
// fdatasync, rename, fsync of the directory. Zeros, because a fallocated extent is "unwritten": its
// first write would need a journal commit (273 µs against 172). Segments that are covered by a
// snapshot and drained come back by rename, with their stale bytes (format.h has the reason why that is
// harmless), which costs no writing at all.
//
//   release_below(5)        taken            ready (at least 2 are kept)
//   ┌────┬────┐        ┌────┬────┬────┐     ┌────┬────┐
//   │ 3  │ 4  │        │ 5  │ 6  │ 7▸ │     │ 8  │ 9  │
//   └─┬──┴─┬──┘        └────┴────┴────┘     └────┴────┘
//     └────┴── renamed to 10, 11 ─────────────────────▲
//
// A full disk: preparation fails, is tried again every 100 ms, and new orders are taken only while
// a ready segment lies ahead. So the whole of the last segment is left to payments, expiries,
// returns and cancels.
//
// A second helper thread reports closed segments to a listener, so that making a snapshot delays no preparation.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "bounds.h"
#include "orderlog/files.h"

namespace stampede::orderlog {

class SegmentKeeper;

// One stream's end of it. Its shard never waits for it: numbers are atomic, and the lock that wakes
// a helper, once a segment, is never held during I/O.
class StreamSegments {
 public:
  // The shard. Segments are taken in order, each once. The descriptor, open for writing, becomes
  // the caller's; nullopt: not ready yet.
  [[nodiscard]] std::optional<int> take(uint32_t segment);
  // The shard. A ready segment lies ahead of the one in use; without it new orders are
  // `overloaded`.
  [[nodiscard]] bool has_room_for_new_orders() const { return ready_count() > 0; }
  [[nodiscard]] uint32_t ready_count() const;
  // The shard, when the end of `segment` is durable.
  void close(uint32_t segment);

  // Any thread. Segments below are covered by a snapshot and drained: they may be used again. Only
  // grows.
  void release_below(uint32_t segment);

 private:
  friend class SegmentKeeper;
  StreamSegments(SegmentKeeper& keeper, const StreamFiles& files, uint32_t current,
                 uint32_t closed_below);

  SegmentKeeper& keeper_;
  const StreamFiles files_;
  // The descriptor of segment s lies in cell s mod size. prepared_ (stored by the helper with
  // release) pairs with the shard's acquire in take(); taken_ (stored by the shard) with the
  // helper's.
  std::array<int, bounds::segments_ready_max + 1> descriptors_{};
  alignas(64) std::atomic<uint32_t> prepared_;  // highest segment that is ready or taken
  alignas(64) std::atomic<uint32_t> taken_;     // highest segment that was taken
  std::atomic<uint32_t> closed_;                // highest segment whose end is durable
  std::atomic<uint32_t> released_{0};           // segments below may be used again
  uint32_t oldest_;      // the preparer's: lowest segment file that may still be there
  uint32_t reported_;    // the reporter's: highest segment that the listener has had
  std::string problem_;  // guarded by the keeper's lock: why preparing failed last
};

class SegmentListener {
 public:
  virtual ~SegmentListener() = default;
  // On the keeper's second thread, for each stream in order, once per closed segment. May take its
  // time.
  virtual void on_segment_closed(uint32_t stream, uint32_t segment) = 0;
};

// Makes one segment file, complete and durable but for its name. A seam, so that tests can fill the
// disk.
class SegmentMaker {
 public:
  virtual ~SegmentMaker() = default;
  // 0 or errno; a file that could not be completed is removed.
  virtual int make(const std::string& path, size_t bytes) = 0;
};

class ZeroedSegmentMaker final : public SegmentMaker {
 public:
  int make(const std::string& path, size_t bytes) override;
};

// All streams of the process. Made, filled by add(), started and stopped by one thread.
class SegmentKeeper {
 public:
  // `open_flags`: DiskPlan's. `listener` may be null. Both objects outlive the keeper.
  SegmentKeeper(int open_flags, SegmentMaker& maker, SegmentListener* listener);
  ~SegmentKeeper();
  SegmentKeeper(const SegmentKeeper&) = delete;
  SegmentKeeper& operator=(const SegmentKeeper&) = delete;

  // Before start(). `current` is the segment in which the writer goes on (recovery's end); it and
  // those behind it are used as they are when they exist. `closed_below`: closed segments from here on
  // are reported to the listener.
  StreamSegments& add(const StreamFiles& files, uint32_t current, uint32_t closed_below);

  // Removes leftover .tmp files and prepares the current segments, and for each stream one ahead unless the disk is full.
  // An error: a current segment could not be made.
  [[nodiscard]] Status open();
  // Behind open(): all further work goes on in the background, on two threads.
  void go_on();
  // Both.
  [[nodiscard]] Status start();
  // One round of the background work, for an owner without threads: a segment for each stream that needs one.
  enum class Step : uint8_t { idle, done, failed };
  Step prepare_some();
  // The same for the listener: one closed segment of each stream. False: there is none to report.
  bool tell_some();
  // Asks both threads to end, and waits so long for what they have under way: making a segment or an on_segment_closed(), which take
  // as long as the disk does. False: one of them goes on, and stop() would wait for it.
  [[nodiscard]] bool end_within(std::chrono::milliseconds patience);
  // Ends both threads, however long that takes. Unused descriptors are closed.
  void stop();

  // Why segments cannot be prepared now, for the operator; empty when they can. Any thread.
  [[nodiscard]] std::string problem() const;

 private:
  friend class StreamSegments;

  [[nodiscard]] Status adopt_files(StreamSegments& stream);
  [[nodiscard]] Status prepare(StreamSegments& stream);
  [[nodiscard]] Status reuse_oldest(StreamSegments& stream);
  [[nodiscard]] Status publish(StreamSegments& stream, uint32_t segment);
  Step step(StreamSegments& stream);
  void note(StreamSegments& stream, const Status& status);
  std::thread start_helper(const char* purpose, void (SegmentKeeper::*work)());
  void run_preparation();
  void run_reporting();
  bool is_stopping() const;
  void wake();

  const int open_flags_;
  SegmentMaker& maker_;
  SegmentListener* const listener_;
  std::vector<std::unique_ptr<StreamSegments>> streams_;
  mutable std::mutex
      mutex_;  // guards the next four and each stream's problem_; never held during I/O or a callback
  std::condition_variable work_;
  bool is_stopping_ = false;
  int threads_ = 0;  // that have not ended
  uint64_t wakes_ = 0;
  std::thread preparer_;
  std::thread reporter_;
};

}  // namespace stampede::orderlog
