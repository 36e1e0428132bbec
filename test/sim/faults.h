// What goes wrong with a simulated machine's files, and when: a list of faults, each waiting for its call.
//
//   {.call = Call::write, .kind = FileKind::snapshot, .error = EIO, .bytes = 512}
//       the next write to a snapshot: 512 bytes reach the file, then it fails
//   {.call = Call::sync, .skip = 3, .error = ENOSPC, .times = 2}
//       the fourth and fifth fdatasync of any file
//   {.call = Call::read, .bytes = 100}
//       a read that returns 100 bytes at most
//   {.call = Call::write, .stall_ns = 3 * kSecond}
//       a write that takes three simulated seconds and is done
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

namespace stampede::sim {

enum class Call : uint8_t {
  open,            // an existing file or a directory
  create,          // open() that makes a file
  read,            // pread
  write,           // pwrite
  sync,            // fsync, fdatasync
  sync_directory,  // fsync of a directory
  allocate,        // fallocate, ftruncate
  rename,
  remove,
  make_directory,
  list,  // opendir
};

enum class FileKind : uint8_t { segment, torn, snapshot, manifest, lock, directory, other };
// By the name, also of a file that is not finished (.tmp).
FileKind kind_of(std::string_view path);

struct Fault {
  Call call = Call::write;
  std::optional<FileKind> kind;  // nullopt: any
  uint32_t skip = 0;             // so many calls that it fits go well before
  uint32_t times = 1;            // then so many do not
  int error = 0;                 // errno; 0: the call ends well, perhaps short or late
  uint64_t bytes = UINT64_MAX;   // of a read or write: at most so many are done
  int64_t stall_ns = 0;          // simulated time that the call takes
};

// What becomes of one call. An `error` of a write comes behind `bytes` of it, when those are not all.
struct Outcome {
  int error = 0;
  uint64_t bytes = UINT64_MAX;
};

class Faults {
 public:
  // `stall(ns)` lets simulated time pass; it may be empty.
  explicit Faults(std::function<void(int64_t)> stall) : stall_(std::move(stall)) {}

  void add(const Fault& fault) { waiting_.push_back(fault); }
  void heal() { waiting_.clear(); }
  // Meanwhile nothing is met.
  void set_paused(bool is_paused) { is_paused_ = is_paused; }
  bool is_empty() const { return waiting_.empty(); }
  // How many calls a fault has met so far.
  uint64_t met() const { return met_; }

  // Each call asks once, in order. At most one fault meets it.
  Outcome meet(Call call, FileKind kind);

 private:
  std::function<void(int64_t)> stall_;
  std::vector<Fault> waiting_;
  uint64_t met_ = 0;
  bool is_paused_ = false;
};

}  // namespace stampede::sim
