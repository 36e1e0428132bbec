// What the tests of the order log stand on: a scratch directory, a disk that does what a script
// says, and logs written by the real writer.
#pragma once

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "base/check.h"
#include "orderlog/disk.h"
#include "orderlog/files.h"
#include "orderlog/recovery.h"
#include "orderlog/segments.h"
#include "orderlog/writer.h"
#include "samples.h"

namespace stampede::orderlog {

// In memory where there is such a file system: most tests are about bytes, not about a disk.
inline std::string scratch_parent() {
  return ::access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
}

class ScratchDir {
 public:
  explicit ScratchDir(const std::string& parent = scratch_parent())
      : path_(parent + "/stampede-log-XXXXXX") {
    if (::mkdtemp(path_.data()) == nullptr) std::abort();
  }
  ~ScratchDir() { std::filesystem::remove_all(path_); }
  ScratchDir(const ScratchDir&) = delete;
  ScratchDir& operator=(const ScratchDir&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Writes at once and tells so at the next poll, unless told otherwise.
class ScriptedDisk final : public Disk {
 public:
  std::function<int64_t(int fd, uint64_t offset, std::span<const std::byte> bytes)> on_write;
  bool holds_outcomes = false;  // writes, but does not tell
  int submits = 0;

  void adopt(std::span<std::byte>) override {}
  void submit(int fd, uint64_t offset, std::span<const std::byte> bytes) override {
    ++submits;
    outcome_ = on_write ? on_write(fd, offset, bytes) : write(fd, offset, bytes);
  }
  std::optional<int64_t> poll() override {
    return holds_outcomes ? std::nullopt : std::exchange(outcome_, std::nullopt);
  }
  int event_fd() const override { return -1; }
  void drain_events() override {}

  static int64_t write(int fd, uint64_t offset, std::span<const std::byte> bytes) {
    const ssize_t written = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    return written < 0 ? -errno : written;
  }

 private:
  std::optional<int64_t> outcome_;
};

// Segments full of zeros that take no time and no room; a full disk on demand.
class SparseSegmentMaker final : public SegmentMaker {
 public:
  std::atomic<int> error{0};
  std::atomic<int> made{0};
  std::atomic<int> refused{0};

  int make(const std::string& path, size_t bytes) override {
    if (const int code = error.load()) {
      refused.fetch_add(1);
      refused.notify_all();
      return code;
    }
    const File file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (::ftruncate(file.fd(), static_cast<off_t>(bytes)) != 0) return errno;
    made.fetch_add(1);
    return 0;
  }
};

constexpr int kPlainWrites = O_WRONLY | O_CLOEXEC;
constexpr size_t kSmallSegment = 64 * 1024;
constexpr Moment kNoon{.wall_ns = 1'795'000'000 * kSecond, .boot_ns = 1'000 * kSecond};

inline StreamFiles small_files(const std::string& dir, size_t segment_bytes = kSmallSegment) {
  StreamFiles files{.dir = dir, .stream = 1, .segment_bytes = segment_bytes, .is_direct = false};
  files.log_uuid.fill(0xab);
  return files;
}

// A writer with all that it needs.
class WritingRig {
 public:
  explicit WritingRig(const StreamFiles& files, const Position& start = {},
                      SegmentListener* listener = nullptr)
      : keeper_(kPlainWrites, maker, listener),
        segments_(keeper_.add(files, start.segment, start.segment)) {
    if (!keeper_.start()) std::abort();
    writer_.emplace(files, start, BootId{1, 2}, disk, segments_, marks);
  }

  Writer& writer() { return *writer_; }
  StreamSegments& segments() { return segments_; }
  SegmentKeeper& keeper() { return keeper_; }

  // Waits for a segment if need be.
  void write_batch(Moment now = kNoon) {
    while (!writer_->start_write(now)) {
      if (!writer_->is_blocked()) std::abort();
      ::sched_yield();
    }
    while (writer_->is_writing()) writer_->poll(now);
  }

  ScriptedDisk disk;
  SparseSegmentMaker maker;
  Marks marks;

 private:
  SegmentKeeper keeper_;
  StreamSegments& segments_;
  std::optional<Writer> writer_;
};

// Where each batch of a log lies, and the end.
struct WrittenLog {
  std::vector<Position> batches;
  Position end;
};

// `batch_count` batches of `records` reservations each, numbered 1, 2, 3 …
inline WrittenLog write_log(const StreamFiles& files, int batch_count, int records = 3,
                            const Position& start = {}) {
  WritingRig rig(files, start);
  WrittenLog log;
  for (int i = 0; i < batch_count; ++i) {
    log.batches.push_back(rig.writer().position());
    for (int j = 0; j < records; ++j)
      rig.writer().append(sample_reserve(rig.writer().appended() + 1));
    rig.write_batch();
  }
  log.end = rig.writer().position();
  return log;
}

inline Result<RecoveryReport> recover_log(const StreamFiles& files, bool is_read_only = true,
                                          std::vector<Witness> witnesses = {}) {
  const RecoveryInput input{.files = files,
                            .witnesses = std::move(witnesses),
                            .is_read_only = is_read_only,
                            .wall_ns = kNoon.wall_ns};
  return recover(input, [](Lsn, const Record&, const Batch&) -> Status { return Ok{}; });
}

inline std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// A file opened for damage.
class Damage {
 public:
  explicit Damage(const std::string& path) : file_(::open(path.c_str(), O_RDWR | O_CLOEXEC)) {
    if (!file_.is_open()) std::abort();
  }
  void put(uint64_t offset, std::string_view bytes) {
    if (::pwrite(file_.fd(), bytes.data(), bytes.size(), static_cast<off_t>(offset)) !=
        static_cast<ssize_t>(bytes.size()))
      std::abort();
  }
  std::string get(uint64_t offset, size_t size) {
    std::string bytes(size, '\0');
    if (::pread(file_.fd(), bytes.data(), size, static_cast<off_t>(offset)) !=
        static_cast<ssize_t>(size))
      std::abort();
    return bytes;
  }
  void flip(uint64_t offset, unsigned bit) {
    std::string byte = get(offset, 1);
    byte[0] = static_cast<char>(byte[0] ^ (1 << bit));
    put(offset, byte);
  }

 private:
  File file_;
};

// What a child process that ends in `body` says on stderr, and its exit code.
struct ChildEnd {
  int exit_code = -1;
  std::string text;
};
inline ChildEnd run_in_child(const std::function<void()>& body) {
  int pipe[2];
  if (::pipe(pipe) != 0) std::abort();
  std::fflush(nullptr);  // or the child would print it again
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGABRT, SIG_DFL);  // not the test runner's handler
    ::dup2(pipe[1], STDERR_FILENO);
    body();
    _exit(0);
  }
  ::close(pipe[1]);
  ChildEnd end;
  char buffer[512];
  for (ssize_t bytes; (bytes = ::read(pipe[0], buffer, sizeof buffer)) > 0;)
    end.text.append(buffer, static_cast<size_t>(bytes));
  ::close(pipe[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFEXITED(status)) end.exit_code = WEXITSTATUS(status);
  return end;
}

}  // namespace stampede::orderlog
