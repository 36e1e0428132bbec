// One line a request, or one of every N, in a file: when, which listener, what was asked and answered, who, which order, how long.
//
//   2026-12-01T02:00:00.123Z public POST /v1/orders 201 386 alice 0a1b2c3d4e5f6789 412
//   time                     listener method target status bytes user order microseconds       `-`: not known
//
// A shard never waits for the file. Between a request and its answer a cell holds what is known of it; the whole goes as a plain
// value through the shard's lane to one thread, which renders and writes. A lane that is full drops the line and counts it. Without
// a log an accepted order costs 17 of its 13,600 instructions for it (callgrind).
//
//   shard ── AccessTrace: begin() … end() ──lane──▶ AccessLog's thread ──write──▶ file
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/lane.h"
#include "base/result.h"
#include "base/slab.h"
#include "base/text.h"
#include "http/parser.h"
#include "order.h"
#include "shard/metrics.h"
#include "shard/places.h"

namespace stampede::shard {

struct AccessEntry {
  static constexpr unsigned kTargetMax = 200;  // what is longer is cut, and ends with `...`

  int64_t wall_ms = 0;
  int64_t received_boot_ns = 0;
  int64_t took_ns = 0;
  uint64_t bytes = 0;
  OrderId order{};
  uint16_t status = 0;  // 0: the client was gone before its answer
  http::Method method = http::Method::other;
  bool is_public = true;
  UserText user;
  Text<kTargetMax> target;
};

// A shard's end.
class AccessTrace {
 public:
  AccessTrace(Lane<AccessEntry>& lane, Metrics& metrics, uint32_t sample, uint32_t requests_max)
      : lane_(lane), metrics_(metrics), sample_(sample), open_(requests_max) {}

  // A cell for a request that has come, or kNone: it is not among the sampled ones.
  [[nodiscard]] uint32_t begin(const http::Request& request, bool is_public, Moment now);
  void set_user(uint32_t cell, const UserText& user) { open_[cell].user = user; }
  // Its answer has been rendered; `text`: when it is one.
  void end(uint32_t cell, const Place& place, const TextAnswer* text, size_t bytes, Moment now);
  // It will have none.
  void end_unanswered(uint32_t cell, Moment now);

 private:
  void push(uint32_t cell, Moment now);

  Lane<AccessEntry>& lane_;
  Metrics& metrics_;
  uint32_t sample_;
  uint32_t seen_ = 0;
  Slab<AccessEntry> open_;
};

class AccessLog {
 public:
  // Appends to the file, which is made if there is none.
  [[nodiscard]] static Result<std::unique_ptr<AccessLog>> open(const std::string& path,
                                                               uint32_t shards);
  // What the file cannot be opened for loses its lines until reopen().
  [[nodiscard]] static std::unique_ptr<AccessLog> without_file(const std::string& path,
                                                               uint32_t shards);
  // Whether open() would succeed, as far as that can be seen while no file is made.
  [[nodiscard]] static Status check(const std::string& path);
  // Writes what the shards have pushed until they ended.
  ~AccessLog();
  AccessLog(const AccessLog&) = delete;

  // Starts its thread; without one its owner turns it by step().
  void start();
  // Writes what is there; false: nothing.
  bool step();

  Lane<AccessEntry>& lane(uint32_t shard) { return *lanes_[shard]; }
  // Any thread: the file is opened again by its name, for it has been moved away (logrotate).
  void reopen() { wants_reopen_.store(true, std::memory_order_relaxed); }

 private:
  AccessLog(std::string path, int file, uint32_t shards);

  void run();
  bool write_some();
  void open_again();

  std::string path_;
  int file_;  // −1: there is none
  std::vector<std::unique_ptr<Lane<AccessEntry>>> lanes_;
  std::string text_;
  bool has_failed_ = false;
  std::atomic<bool> wants_reopen_{false}, is_ending_{false};
  std::thread thread_;
};

}  // namespace stampede::shard
