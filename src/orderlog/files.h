// The files of one stream: their names, how they are opened, memory that O_DIRECT accepts.
//
//   <dir>/0000000007.log            segment 7
//   <dir>/0000000008.log.tmp        segment 8 in preparation; removed at start
//   <dir>/0000000007.log.torn-TIME  the bytes that recovery cut off
//   <dir>/snapshot-0000000007       the state that the segments below 7 made (snapshot.h)
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/write_all.h"
#include "bounds.h"
#include "orderlog/format.h"

namespace stampede::orderlog {

// Facts of a stream from outside its own files (the manifest keeps them), so that a file that is gone, or is an
// older copy of itself, is noticed.
struct KnownStream {
  bool has_begun = false;  // it has had a segment: finding none is a loss
  bool begins_with_snapshot =
      false;  // made by a change of shards: without a snapshot there is nothing to go on from
  uint64_t first_snapshot_sum = 0;  // of snapshot 1, when it begins with one; 0: not known
  Lsn last_lsn = 0;                 // its log has held this record
  uint64_t chain = 0;  // and this was the chain value of the batch that ended with it; 0: not known
  bool is_at_rest = false;  // nothing was ever written behind it
  // An accepted loss has ended the log behind record cut_lsn, and no order has got a number up to cut_floor since. So a snapshot
  // that ends later and knows no higher number is of the history that was lost. 0: there was no loss.
  Lsn cut_lsn = 0;
  uint64_t cut_floor = 0;
  friend bool operator==(const KnownStream&, const KnownStream&) = default;
};

// Which stream, and where its files lie. A plain value; every reader and writer of a log holds
// one.
struct StreamFiles {
  std::string dir;  // <data>/log/g<generation>/s<stream>
  Uuid log_uuid{};
  uint32_t stream = 0;
  uint32_t stream_count = 0;  // of its generation; 0: not known
  uint32_t node = 0;
  size_t segment_bytes = bounds::segment_bytes_default;
  bool is_direct = true;  // read past the page cache, if the file system can
  KnownStream known;
  std::string known_from = "manifest";  // the source of these facts, for messages

  std::string segment_path(uint32_t segment) const;
  // The most bytes of one batch: a segment always has room for two, so that one can end it.
  size_t batch_bytes() const;
};

// An open descriptor; closed with its owner. −1: none.
class File {
 public:
  File() = default;
  explicit File(int fd) : fd_(fd) {}
  File(File&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  File& operator=(File&& other) noexcept;
  ~File() { close(); }

  int fd() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void close();

 private:
  int fd_ = -1;
};

// Memory on a page boundary. Zeros, given by the kernel page by page as they are first touched.
class AlignedBuffer {
 public:
  explicit AlignedBuffer(size_t bytes);
  ~AlignedBuffer();
  AlignedBuffer(const AlignedBuffer&) = delete;
  AlignedBuffer& operator=(const AlignedBuffer&) = delete;

  std::span<std::byte> bytes() const { return bytes_; }

 private:
  std::span<std::byte> bytes_;
};

// The names in a directory, in no order. A directory that is not there is damage.
[[nodiscard]] Result<std::vector<std::string>> list_directory(const std::string& dir);

// The segments that are there, in order. Holes are the caller's to judge.
struct SegmentList {
  std::vector<uint32_t> segments;
  std::string misfit;  // a file that cannot be a segment of this log, and why; empty: none
};
[[nodiscard]] Result<SegmentList> list_segments(const StreamFiles& files);

// Opens a regular file for reading, with O_DIRECT when `is_direct` and the file system can. nullopt: no such file. A
// link, a directory, a file that may not be read: an Error that is damage, with the path.
[[nodiscard]] Result<std::optional<File>> open_for_reading(const std::string& path, bool is_direct);

// Reads until `into` is full or the file ends; returns the bytes. Offset and size are multiples of
// the block.
[[nodiscard]] Result<size_t> read_at(const File& file, uint64_t offset, std::span<std::byte> into,
                                     const std::string& path);

// A segment's number as the names of files have it: ten digits, not all zero.
constexpr size_t kSegmentDigits = 10;
std::optional<uint32_t> segment_number(std::string_view digits);

// The name of a file that is being written, until it is whole and has its own; removed at start.
constexpr std::string_view kUnfinished = ".tmp";

// The one of base with the file's name in the error.
using stampede::write_all;
[[nodiscard]] Status write_all(const File& file, uint64_t offset, std::span<const std::byte> bytes,
                               const std::string& path);
// The same with zeros. 0 or errno.
[[nodiscard]] int write_zeros(int fd, uint64_t offset, uint64_t bytes);

// The file's bytes are on stable storage, and its size; not its name.
[[nodiscard]] Status sync_file(const File& file, const std::string& path);

// The file has the other name after any crash from here on; a file that had that name is gone.
[[nodiscard]] Status rename_durably(const std::string& from, const std::string& to);

// The file at `path` has exactly this text, or after a crash perhaps still all of its old one.
[[nodiscard]] Status replace_durably(const std::string& path, std::string_view text);

// Makes names in a directory durable (a created, renamed or removed file is safe only after this).
[[nodiscard]] Status sync_directory(const std::string& dir);

// Creates a directory and its parents, durably.
[[nodiscard]] Status make_directories(const std::string& dir);

// A file or directory that must be there and cannot be read: damage, unless this process has run out of something.
[[nodiscard]] Error unreadable(const std::string& what, int error_number);

// "open /x/y: No such file or directory", for errno.
[[nodiscard]] Error errno_error(const std::string& what, int error_number);

}  // namespace stampede::orderlog
