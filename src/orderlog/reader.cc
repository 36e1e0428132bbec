#include "orderlog/reader.h"
#include "base/words.h"

#include <algorithm>
#include <cerrno>
#include <string>

namespace stampede::orderlog {
namespace {

// A live reader mostly finds some blocks at a time, one that catches up wants the disk's whole
// bandwidth: the piece doubles while the whole of it is used up, and starts over at the live end.
constexpr size_t kReadBytesMin = 64 * 1024;
constexpr size_t kReadBytesMax = 2 * bounds::batch_bytes_max;
static_assert(kReadBytesMax >= bounds::batch_bytes_max, "the window holds any batch whole");

}  // namespace

Position Batch::position_after() const {
  Position after{.segment = segment(),
                 .offset = offset_ + sealed_bytes(body_.size()),
                 .batch_seq = batch_seq() + 1,
                 .next_lsn = last_lsn() + 1,
                 .prev_chain = chain()};
  if (ends_segment_) {
    after.segment += 1;
    after.offset = 0;
  }
  return after;
}

Reader::Reader(const StreamFiles& files, const Position& start)
    : files_(files), position_(start), memory_(kReadBytesMax), read_bytes_(kReadBytesMin) {}

Result<std::optional<Batch>> Reader::next(Lsn up_to) {
  if (position_.next_lsn > up_to) {
    read_bytes_ = kReadBytesMin;
    return std::optional<Batch>{};
  }
  // Bytes that were read before the mark rose this far may have been read before they were written.
  if (position_.next_lsn > window_up_to_) window_bytes_ = 0;
  up_to_ = up_to;
  Result<Found> found = look();
  if (!found) return found.error();
  if (found->flaw != Flaw::none) return describe(found->flaw);
  if (found->batch->last_lsn() > up_to) return std::optional<Batch>{};
  skip(*found->batch);
  return found->batch;
}

Result<Reader::Found> Reader::look() {
  if (Status opened = open_segment(); !opened) return opened.error();
  const size_t room =
      files_.segment_bytes - std::min<size_t>(position_.offset, files_.segment_bytes);
  if (is_segment_missing_ || room < bounds::log_block_bytes)
    return Found{.flaw = Flaw::no_room, .is_missing = is_segment_missing_};
  if (Status filled = fill(bounds::log_block_bytes); !filled) return filled.error();

  const std::optional<BatchHeader> header = read_header(block());
  if (!header) return Found{.flaw = is_blank(block()) ? Flaw::blank : Flaw::no_header};
  const Flaw flaw = check_header(*header, expected(), room);
  if (flaw != Flaw::none) return Found{.flaw = flaw, .header = header};
  return look_at_body(*header);
}

Result<Reader::Found> Reader::look_at_body(const BatchHeader& header) {
  const size_t bytes = sealed_bytes(header.body_bytes);
  if (Status filled = fill(bytes); !filled) return filled.error();
  const std::span<const std::byte> bytes_of_batch = buffered().first(bytes);
  const BodyCheck check = check_body(header, bytes_of_batch);
  Found found{.flaw = check.flaw, .header = header};
  if (check.flaw == Flaw::none)
    found.batch.emplace(header, position_.offset,
                        bytes_of_batch.subspan(kHeaderBytes, header.body_bytes),
                        check.ends_segment);
  return found;
}

void Reader::skip(const Batch& batch) {
  position_ = batch.position_after();
}

std::span<const std::byte> Reader::bytes_of(const Batch& batch) const {
  return buffered().first(sealed_bytes(batch.header().body_bytes));
}

std::span<const std::byte> Reader::block() const {
  return buffered().first(bounds::log_block_bytes);
}

std::string Reader::where() const {
  return "segment " + std::to_string(position_.segment) + " (" +
         files_.segment_path(position_.segment) + ") offset " + std::to_string(position_.offset) +
         " sequence " + std::to_string(position_.batch_seq);
}

Error Reader::describe(Flaw flaw) const {
  if (is_segment_missing_) return {where() + ": the segment's file is missing", true};
  return {where() + ": " + std::string(name_of(flaw)), true};
}

Expected Reader::expected() const {
  return {.log_uuid = files_.log_uuid, .stream = files_.stream, .position = position_};
}

Status Reader::open_segment() {
  if (file_.is_open() && open_segment_ == position_.segment) return Ok{};
  window_bytes_ = 0;
  const std::string path = files_.segment_path(position_.segment);
  Result<std::optional<File>> opened = open_for_reading(path, files_.is_direct);
  if (!opened) return opened.error();
  is_segment_missing_ = !opened->has_value();
  if (is_segment_missing_) return Ok{};
  file_ = std::move(**opened);
  open_segment_ = position_.segment;
  return Ok{};
}

// The bytes from position() on that are in memory.
std::span<const std::byte> Reader::buffered() const {
  if (position_.offset < window_offset_ || position_.offset > window_offset_ + window_bytes_)
    return {};
  return memory_.bytes().first(window_bytes_).subspan(position_.offset - window_offset_);
}

// Sees to it that so many bytes from position() on are in memory. They fit into the segment.
Status Reader::fill(size_t bytes_needed) {
  if (buffered().size() >= bytes_needed) return Ok{};
  const size_t bytes = std::min<size_t>(std::max(bytes_needed, read_bytes_),
                                        files_.segment_bytes - position_.offset);
  const std::string path = files_.segment_path(position_.segment);
  window_offset_ = position_.offset;
  window_bytes_ = 0;
  const Result<size_t> read = read_at(file_, position_.offset, memory_.bytes().first(bytes), path);
  if (!read) return read.error();
  if (*read < bytes_needed)
    return Error{path + " ends at " + counted(position_.offset + *read, "byte"), true};
  window_bytes_ = *read;
  window_up_to_ = up_to_;
  read_bytes_ = std::min(2 * read_bytes_, kReadBytesMax);
  return Ok{};
}

Result<Position> oldest_position(const StreamFiles& files) {
  const Result<SegmentList> list = list_segments(files);
  if (!list) return list.error();
  Position position;
  if (list->segments.empty() || list->segments.front() == position.segment) return position;
  position.segment = list->segments.front();
  Reader reader(files, position);
  const Result<Reader::Found> found = reader.look();
  if (!found) return found.error();
  if (!found->header) return reader.describe(found->flaw);
  position.batch_seq = found->header->batch_seq;
  position.next_lsn = found->header->first_lsn;
  position.prev_chain = found->header->prev_chain;
  return position;
}

}  // namespace stampede::orderlog
