#include "orderlog/tail.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>

#include "base/clock.h"
#include "base/time_text.h"
#include "base/words.h"

namespace stampede::orderlog {
namespace {

constexpr size_t kPieceBytes = 1024 * 1024;

// Calls visit(offset, bytes) for the blocks of a segment from `offset` to `end`, in pieces.
template <typename Visit>
Status for_each_piece(const StreamFiles& files, uint32_t segment, uint64_t offset, uint64_t end,
                      Visit&& visit) {
  const std::string path = files.segment_path(segment);
  Result<std::optional<File>> opened = open_for_reading(path, files.is_direct);
  if (!opened) return opened.error();
  if (!*opened) return Error{path + " is missing", true};
  const AlignedBuffer buffer(kPieceBytes);
  while (offset < end) {
    const size_t bytes = std::min<size_t>(kPieceBytes, end - offset);
    const Result<size_t> read = read_at(**opened, offset, buffer.bytes().first(bytes), path);
    if (!read) return read.error();
    if (*read != bytes) return Error{path + " ends at " + counted(offset + *read, "byte"), true};
    if (Status visited = visit(offset, buffer.bytes().first(bytes)); !visited) return visited;
    offset += bytes;
  }
  return Ok{};
}

void judge_header(const Sighting& sighting, const Expected& end, Tail& tail) {
  const BatchHeader& header = sighting.header;
  const bool is_ours = header.version == kFormatVersion && header.log_uuid == end.log_uuid &&
                       header.stream == end.stream;
  if (!is_ours && !tail.foreign) tail.foreign = sighting;
  const bool is_later = is_ours && header.batch_seq >= end.position.batch_seq;
  if (is_later && !tail.later) tail.later = sighting;
  if (is_ours && !is_later && sighting.segment == end.position.segment) tail.is_reused = true;
}

void scan_piece(uint32_t segment, uint64_t offset, std::span<const std::byte> bytes,
                const Expected& end, Tail& tail) {
  for (size_t at = 0; at < bytes.size(); at += bounds::log_block_bytes) {
    const auto block = bytes.subspan(at, bounds::log_block_bytes);
    if (const std::optional<BatchHeader> header = read_header(block))
      judge_header({segment, offset + at, *header}, end, tail);
  }
}

// The first `bytes` of each.
Status scan_segments(const StreamFiles& files, const Expected& end,
                     const std::vector<uint32_t>& segments, uint64_t bytes, Tail& tail) {
  for (const uint32_t segment : segments) {
    const Status scanned =
        for_each_piece(files, segment, 0, bytes, [&](uint64_t offset, auto piece) -> Status {
          scan_piece(segment, offset, piece, end, tail);
          return Ok{};
        });
    if (!scanned) return scanned;
  }
  return Ok{};
}

size_t bytes_to_last_nonzero(std::span<const std::byte> bytes) {
  size_t size = bytes.size();
  while (size > 0 &&
         is_blank(bytes.subspan(size - bounds::log_block_bytes, bounds::log_block_bytes)))
    size -= bounds::log_block_bytes;
  while (size > 0 && bytes[size - 1] == std::byte{0}) --size;
  return size;
}

std::string torn_path(const StreamFiles& files, uint32_t segment, int64_t wall_ns) {
  return files.segment_path(segment) + ".torn-" +
         std::string(TimeText(wall_ns / kMillisecond).view());
}

Result<File> open_for_writing(const std::string& path, int more_flags) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW | more_flags, 0600);
  if (fd < 0) return errno_error("open " + path, errno);
  return File(fd);
}

Status copy_tail(const StreamFiles& files, const Position& end, uint64_t bytes,
                 const std::string& path) {
  // O_EXCL: a file that an earlier recovery kept is evidence.
  Result<File> copy = open_for_writing(path, O_CREAT | O_EXCL);
  if (!copy) return copy.error();
  const Status copied = for_each_piece(
      files, end.segment, end.offset, files.segment_bytes,
      [&](uint64_t offset, std::span<const std::byte> piece) -> Status {
        const uint64_t done = offset - end.offset;
        if (done >= bytes) return Ok{};
        return write_all(*copy, done, piece.first(std::min<uint64_t>(piece.size(), bytes - done)),
                         path);
      });
  if (!copied) return copied;
  if (Status synced = sync_file(*copy, path); !synced) return synced;
  return sync_directory(files.dir);
}

Status clear(const StreamFiles& files, const Position& end, uint64_t bytes) {
  const std::string path = files.segment_path(end.segment);
  Result<File> file = open_for_writing(path, 0);
  if (!file) return file.error();
  if (const int error = write_zeros(file->fd(), end.offset, bytes); error != 0)
    return errno_error("write " + path, error);
  return sync_file(*file, path);
}

}  // namespace

Result<Tail> scan_tail(const StreamFiles& files, const Expected& end,
                       const std::vector<uint32_t>& later_segments) {
  Tail tail;
  const uint32_t segment = end.position.segment;
  const uint64_t first = end.position.offset;
  Status scanned = for_each_piece(
      files, segment, first, files.segment_bytes, [&](uint64_t offset, auto piece) -> Status {
        if (const size_t used = bytes_to_last_nonzero(piece); used > 0)
          tail.bytes = offset - first + used;
        const size_t skipped =
            offset == first ? bounds::log_block_bytes : 0;  // the caller has judged it
        scan_piece(segment, offset + skipped, piece.subspan(skipped), end, tail);
        return Ok{};
      });
  if (scanned) scanned = scan_segments(files, end, later_segments, files.segment_bytes, tail);
  if (!scanned) return scanned.error();
  return tail;
}

Result<Tail> scan_heads(const StreamFiles& files, const Expected& end,
                        const std::vector<uint32_t>& later_segments) {
  Tail tail;
  if (Status scanned = scan_segments(files, end, later_segments, bounds::log_block_bytes, tail);
      !scanned)
    return scanned.error();
  return tail;
}

Result<std::string> cut_tail(const StreamFiles& files, const Position& end, uint64_t bytes,
                             int64_t wall_ns) {
  const std::string path = torn_path(files, end.segment, wall_ns);
  if (Status copied = copy_tail(files, end, bytes, path); !copied) return copied.error();
  if (Status cleared = clear(files, end, bytes); !cleared) return cleared.error();
  return path;
}

Status sync_segment(const StreamFiles& files, uint32_t segment) {
  const std::string path = files.segment_path(segment);
  Result<File> file = open_for_writing(path, 0);
  if (!file) return file.error();
  return sync_file(*file, path);
}

Status set_aside(const StreamFiles& files, uint32_t segment, int64_t wall_ns) {
  const std::string from = files.segment_path(segment);
  const std::string to = torn_path(files, segment, wall_ns);
  return rename_durably(from, to);
}

}  // namespace stampede::orderlog
