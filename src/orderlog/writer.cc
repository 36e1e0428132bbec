#include "orderlog/writer.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include "base/check.h"
#include "base/words.h"

namespace stampede::orderlog {
namespace {

const size_t kSegmentEndBytes = encoded_bytes(SegmentEnd{});

int take_first(StreamSegments& segments, uint32_t segment) {
  const std::optional<int> fd = segments.take(segment);
  CHECK(fd.has_value());
  return *fd;
}

}  // namespace

Writer::Writer(const StreamFiles& files, const Position& start, BootId boot_id, Disk& disk,
               StreamSegments& segments, Marks& marks)
    : files_(files),
      boot_id_(boot_id),
      disk_(disk),
      segments_(segments),
      marks_(marks),
      body_bytes_max_(files.batch_bytes() - kHeaderBytes - kSegmentEndBytes),
      memory_(2 * files.batch_bytes()),
      filling_(memory_.bytes().first(files.batch_bytes())),
      other_(memory_.bytes().last(files.batch_bytes())),
      next_(start),
      file_(take_first(segments, start.segment)),
      durable_lsn_(start.next_lsn - 1),
      durable_seq_(start.batch_seq - 1) {
  CHECK(start.offset % bounds::log_block_bytes == 0);
  CHECK(start.offset + files_.batch_bytes() <= files_.segment_bytes);
  // Touched now, so that no order pays for a page fault.
  std::memset(memory_.bytes().data(), 0, memory_.bytes().size());
  disk_.adopt(memory_.bytes());
  marks_.start_at(durable_lsn_);
}

Writer::~Writer() {
  CHECK(!is_writing());
}

Lsn Writer::append(const Record& record) {
  CHECK(owner_.is_mine());
  CHECK(!is_sealed_);
  const size_t body_bytes_before = body_bytes_;
  put(record);
  CHECK(body_bytes_ <= body_bytes_max_);
  CHECK(body_bytes_ > body_bytes_before);
  marks_.appended.raise(appended());
  return appended();
}

void Writer::put(const Record& record) {
  body_bytes_ += encode(record, filling_.subspan(kHeaderBytes + body_bytes_));
  record_count_ += 1;
}

size_t Writer::room_for_new_orders() const {
  if (!segments_.has_room_for_new_orders()) return 0;
  const size_t kept = std::min(bounds::batch_reserve_bytes, body_bytes_max_ / 4);
  return room() > kept ? room() - kept : 0;
}

// A segment ends while the largest batch would still fit, so that the batch which ends it always
// does.
bool Writer::must_end_segment() const {
  const size_t end = next_.offset + sealed_bytes(body_bytes_ + kSegmentEndBytes);
  return end + files_.batch_bytes() > files_.segment_bytes;
}

bool Writer::start_write(Moment now) {
  CHECK(owner_.is_mine());
  if (is_writing() || is_sealed_ || record_count_ == 0) return false;
  const bool ends_segment = must_end_segment();
  if (ends_segment) {
    const std::optional<int> fd = segments_.take(next_.segment + 1);
    is_blocked_ = !fd.has_value();
    if (is_blocked_) return false;
    next_file_ = File(*fd);
    put(SegmentEnd{.next_segment = next_.segment + 1});
    marks_.appended.raise(appended());
  }
  seal_and_submit(now, ends_segment);
  return true;
}

void Writer::seal_and_submit(Moment now, bool ends_segment) {
  BatchHeader header{.log_uuid = files_.log_uuid,
                     .stream = files_.stream,
                     .segment = next_.segment,
                     .batch_seq = next_.batch_seq,
                     .first_lsn = next_.next_lsn,
                     .record_count = record_count_,
                     .body_bytes = static_cast<uint32_t>(body_bytes_),
                     .prev_chain = next_.prev_chain,
                     .durable_seq = durable_seq_,
                     .epoch = epoch_,
                     .wall_ns = now.wall_ns,
                     .boot_ns = now.boot_ns,
                     .boot_id = boot_id_};
  const std::span<const std::byte> bytes = orderlog::seal(header, filling_);
  in_flight_ = {.at = next_,
                .bytes = bytes,
                .last_lsn = header.last_lsn(),
                .ends_segment = ends_segment,
                .submitted_boot_ns = now.boot_ns};
  // Both sides of the boundary: whole blocks, inside the segment, behind the durable ones.
  CHECK(bytes.size() % bounds::log_block_bytes == 0);
  CHECK(next_.offset + bytes.size() <= files_.segment_bytes);
  CHECK(header.first_lsn == durable_lsn_ + 1);
  disk_.submit(file_.fd(), next_.offset, bytes);

  next_ = {.segment = next_.segment + (ends_segment ? 1 : 0),
           .offset = ends_segment ? 0 : next_.offset + bytes.size(),
           .batch_seq = next_.batch_seq + 1,
           .next_lsn = header.last_lsn() + 1,
           .prev_chain = header.header_sum};
  std::swap(filling_, other_);
  body_bytes_ = 0;
  record_count_ = 0;
}

void Writer::seal() {
  CHECK(owner_.is_mine());
  CHECK(!is_writing());
  is_sealed_ = true;
  is_blocked_ = false;
  body_bytes_ = 0;
  record_count_ = 0;
}

bool Writer::poll(Moment now) {
  CHECK(owner_.is_mine());
  if (!is_writing()) return false;
  const std::optional<int64_t> outcome = disk_.poll();
  if (!outcome) {
    if (now.boot_ns - in_flight_.submitted_boot_ns > bounds::log_write_watchdog_ms * kMillisecond)
      fail("not done after " +
           duration_text(static_cast<uint64_t>(bounds::log_write_watchdog_ms * kMillisecond)));
    return false;
  }
  // The write never began. Anything else that is not success leaves the file in an unknown state.
  if (*outcome == -EINTR || *outcome == -EAGAIN) {
    disk_.submit(file_.fd(), in_flight_.at.offset, in_flight_.bytes);
    return false;
  }
  if (*outcome < 0) fail(std::strerror(static_cast<int>(-*outcome)));
  if (static_cast<size_t>(*outcome) != in_flight_.bytes.size())
    fail("only " + counted(static_cast<uint64_t>(*outcome), "byte was", "bytes were") + " written");
  complete();
  return true;
}

void Writer::complete() {
  durable_lsn_ = in_flight_.last_lsn;
  durable_seq_ = in_flight_.at.batch_seq;
  // Pairs with the drainer's acquire: bytes that it reads up to the mark are on the disk.
  marks_.durable.raise(durable_lsn_);
  if (in_flight_.ends_segment) {
    file_ = std::move(next_file_);
    segments_.close(in_flight_.at.segment);
  }
  in_flight_ = {};
}

void Writer::fail(const std::string& reason) const {
  fatal(kExitLogWrite, "write of %s to %s at offset %lu (batch %lu): %s",
        counted(in_flight_.bytes.size(), "byte").c_str(),
        files_.segment_path(in_flight_.at.segment).c_str(), in_flight_.at.offset,
        in_flight_.at.batch_seq, reason.c_str());
}

}  // namespace stampede::orderlog
