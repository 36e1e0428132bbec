#include "orderlog/stream_copy.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "orderlog/recovery.h"
#include "orderlog/snapshot.h"
#include "orderlog/verification.h"

namespace stampede::orderlog {
namespace {

constexpr int kCopiesMax = 10;  // when the server overtakes the copy
constexpr size_t kCopiedPieceBytes = 1024 * 1024;

Result<File> create_file(const std::string& path) {
  File file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.is_open()) return errno_error("create " + path, errno);
  return file;
}

// Synced, and out of the page cache: reading it back reads the disk.
Status sync_and_drop(const File& file, const std::string& path) {
  if (Status synced = sync_file(file, path); !synced) return synced;
  static_cast<void>(::posix_fadvise(file.fd(), 0, 0, POSIX_FADV_DONTNEED));
  return Ok{};
}

Status remove_files(const std::string& dir) {
  const Result<std::vector<std::string>> names = list_directory(dir);
  if (!names) return names.error();
  for (const std::string& name : *names) {
    if (name == "." || name == "..") continue;
    const std::string path = dir + "/" + name;
    if (::unlink(path.c_str()) != 0) return errno_error("remove " + path, errno);
  }
  return Ok{};
}

Result<bool> is_there(const StreamFiles& files, uint32_t snapshot) {
  const Result<std::vector<uint32_t>> now = list_snapshots(files);
  if (!now) return now.error();
  return std::ranges::find(*now, snapshot) != now->end();
}

}  // namespace

Status StreamCopy::copy_up_to(const Cut& cut) {
  for (int attempt = 1; attempt <= kCopiesMax; ++attempt) {
    const uint32_t oldest_before = oldest_segment(from_);
    if (!is_begun_) {
      const Status begun = begin();
      if (!begun && oldest_segment(from_) != oldest_before) continue;
      if (!begun) return begun;
    }
    Result<Stop> stop = copy_batches(cut);
    // A reader that finds a flaw may have read ahead bytes that were being written: another one looks anew.
    while (stop && *stop == Stop::at_flaw && is_sound_by_now(from_, end_)) stop = copy_batches(cut);
    if (stop && *stop == Stop::at_flaw) stop = judge_end();
    if (!stop) return stop.error();
    if (*stop != Stop::overtaken) return Ok{};
    is_begun_ = false;
  }
  return Error{from_.dir + ": the server uses its segments again faster than they can be copied"};
}

// ---- begin

Status StreamCopy::begin() {
  out_.close();
  if (Status made = make_directories(to_.dir); !made) return made;
  if (Status removed = remove_files(to_.dir); !removed) return removed;
  if (Status copied = copy_snapshots(); !copied) return copied;
  const Result<Position> start = start_of(from_);
  if (!start) return start.error();
  end_ = *start;
  is_begun_ = true;
  const Result<SegmentList> list = list_segments(from_);
  if (!list) return list.error();
  if (!list->misfit.empty()) return Error{list->misfit, true};
  const bool is_new = list->segments.empty() && !from_.known.has_begun;
  return is_new ? Status(Ok{}) : open_segment();
}

Status StreamCopy::copy_snapshots() {
  const Result<std::vector<uint32_t>> snapshots = list_snapshots(from_);
  if (!snapshots) return snapshots.error();
  for (const uint32_t segment : *snapshots) {
    Status copied = copy_snapshot(segment);
    if (copied) continue;
    // The server removes old ones.
    const Result<bool> stays = is_there(from_, segment);
    if (!stays) return stays.error();
    if (*stays) return copied;
    ::unlink(snapshot_path(to_, segment).c_str());
  }
  return Ok{};
}

Status StreamCopy::copy_snapshot(uint32_t segment) {
  const std::string from = snapshot_path(from_, segment), to = snapshot_path(to_, segment);
  const auto sound = read_snapshot(from_, segment, [](const Record&) -> Status { return Ok{}; });
  if (!sound) return sound.error();
  const Result<std::optional<File>> in = open_for_reading(from, false);
  if (!in) return in.error();
  if (!*in) return Error{from + " is missing", true};
  const Result<File> out = create_file(to);
  if (!out) return out.error();
  const AlignedBuffer piece(kCopiedPieceBytes);
  for (uint64_t done = 0;;) {
    const Result<size_t> bytes = read_at(**in, done, piece.bytes(), from);
    if (!bytes) return bytes.error();
    if (*bytes == 0) return sync_and_drop(*out, to);
    if (Status written = write_all(*out, done, piece.bytes().first(*bytes), to); !written)
      return written;
    done += *bytes;
    progress_(*bytes);
  }
}

// ---- the log

Result<StreamCopy::Stop> StreamCopy::copy_batches(const Cut& cut) {
  Reader reader(from_, end_);
  while (true) {
    const Result<Reader::Found> found = reader.look();
    if (!found) return found.error();
    if (!found->batch) return Stop::at_flaw;
    const BatchHeader& header = found->batch->header();
    if (header.boot_id == cut.boot_id && header.boot_ns > cut.boot_ns) return Stop::at_cut;
    if (Status written = write(*found->batch, reader.bytes_of(*found->batch)); !written)
      return written.error();
    reader.skip(*found->batch);
  }
}

// Decides about the bytes behind the last batch: they are the end, or damage, or a later use of the file.
Result<StreamCopy::Stop> StreamCopy::judge_end() {
  if (!has_begun()) return Stop::at_flaw;  // a stream that is new
  const Result<RecoveryReport> report =
      recover({.files = from_, .start = end_, .is_read_only = true},
              [](Lsn, const Record&, const Batch&) -> Status { return Ok{}; });
  if (!report) return report.error();
  const Result<bool> overtaken = is_overtaken();
  if (!overtaken) return overtaken.error();
  if (*overtaken) return Stop::overtaken;
  // recover() has read on from here, if more was written meanwhile.
  if (report->outcome == RecoveryOutcome::damaged && !is_sound_by_now(from_, report->end))
    return Error{"stream " + std::to_string(from_.stream) + ": " + report->message, true};
  return Stop::at_flaw;
}

Result<bool> StreamCopy::is_overtaken() const {
  const Result<SegmentList> list = list_segments(from_);
  if (!list) return list.error();
  return !list->segments.empty() && list->segments.front() > end_.segment;
}

Status StreamCopy::write(const Batch& batch, std::span<const std::byte> bytes) {
  if (Status written = write_all(out_, end_.offset, bytes, to_.segment_path(end_.segment));
      !written)
    return written;
  progress_(bytes.size());
  const Position after = batch.position_after();
  const bool is_ended = after.segment != end_.segment;
  if (is_ended)
    if (Status closed = close_segment(); !closed) return closed;
  end_ = after;
  return is_ended ? open_segment() : Status(Ok{});
}

Status StreamCopy::open_segment() {
  const std::string path = to_.segment_path(end_.segment);
  Result<File> created = create_file(path);
  if (!created) return created.error();
  out_ = std::move(*created);
  if (::ftruncate(out_.fd(), static_cast<off_t>(to_.segment_bytes)) != 0)
    return errno_error("make " + path, errno);
  return Ok{};
}

Status StreamCopy::close_segment() {
  return sync_and_drop(out_, to_.segment_path(end_.segment));
}

Status StreamCopy::fill_last_segment() {
  if (!has_begun()) return Ok{};
  if (const int error = write_zeros(out_.fd(), end_.offset, to_.segment_bytes - end_.offset);
      error != 0)
    return errno_error("write " + to_.segment_path(end_.segment), error);
  return Ok{};
}

Status StreamCopy::sync() {
  if (has_begun())
    if (Status closed = close_segment(); !closed) return closed;
  return sync_directory(to_.dir);
}

}  // namespace stampede::orderlog
