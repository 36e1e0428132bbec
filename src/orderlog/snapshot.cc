#include "orderlog/snapshot.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/check.h"
#include "base/hash.h"
#include "base/time_text.h"
#include "orderlog/format.h"
#include "orderlog/preview.h"

namespace stampede::orderlog {
namespace {

constexpr std::string_view kPrefix = "snapshot-";
constexpr uint32_t kSnapshotMagic = 0x53425453;  // "STBS"
constexpr int kSnapshotsKept = 2;

// The first block of the file. As in a batch, magic, version and sum keep their places for ever.
struct SnapshotHeader {
  uint32_t magic = kSnapshotMagic;
  uint32_t version = kFormatVersion;
  uint64_t header_sum = 0;  // of the bytes from 16 on, seeded with the first 8
  Uuid log_uuid{};
  uint32_t stream = 0;
  uint32_t segment = 0;  // of `position`
  uint64_t batch_seq = 0;
  uint64_t next_lsn = 0;
  uint64_t prev_chain = 0;
  uint64_t epoch = 0;
  uint64_t sequence_max = 0;
  int64_t wall_ns = 0;
  BootId boot_id;
  uint64_t record_count = 0;
  uint64_t batch_count = 0;
  uint64_t last_chain = 0;
};
static_assert(sizeof(SnapshotHeader) == 128, "no padding: all its bytes are summed");

uint64_t sum_of(const SnapshotHeader& header) {
  const auto bytes = std::as_bytes(std::span(&header, 1));
  return checksum(bytes.subspan(kSummedFrom), (uint64_t{header.version} << 32) | header.magic);
}

std::optional<uint32_t> snapshot_named(std::string_view name) {
  if (!name.starts_with(kPrefix)) return std::nullopt;
  return segment_number(name.substr(kPrefix.size()));
}

// Batch 1 begins behind the header's block. `segment` of the batches is the one below which the snapshot covers the log.
Position first_batch(uint32_t segment) {
  return {.segment = segment, .offset = bounds::log_block_bytes};
}

// Reads one snapshot's bytes in order, every one of them checked.
class Scan {
 public:
  Scan(const StreamFiles& files, uint32_t segment)
      : files_(files),
        path_(snapshot_path(files, segment)),
        next_(first_batch(segment)),
        buffer_(bounds::batch_bytes_max) {}

  Result<SnapshotHeader> read_header() {
    Result<std::optional<File>> opened = open_for_reading(path_, false);
    if (!opened) return opened.error();
    if (!*opened) return Error{path_ + " is missing", true};
    file_ = std::move(**opened);
    if (Status status = read(0, bounds::log_block_bytes); !status) return status.error();
    std::memcpy(&header_, buffer_.bytes().data(), sizeof header_);
    if (header_.magic != kSnapshotMagic || header_.header_sum != sum_of(header_))
      return damage("the header's checksum is wrong");
    if (header_.version != kFormatVersion)
      return damage("version " + std::to_string(header_.version) +
                    " of the format; this binary reads " + std::to_string(kFormatVersion));
    if (header_.log_uuid != files_.log_uuid || header_.stream != files_.stream)
      return damage("it belongs to another log or stream");
    if (header_.next_lsn > files_.known.cut_lsn + 1 &&
        header_.sequence_max < files_.known.cut_floor)
      return damage("it is of the history that an accepted loss has ended");
    if (header_.segment != next_.segment)
      return damage("it belongs to segment " + std::to_string(header_.segment));
    if (!is_blank(
            buffer_.bytes().subspan(sizeof header_, bounds::log_block_bytes - sizeof header_)))
      return damage("the bytes behind the header are not zero");
    return header_;
  }

  Status read_batches(const SnapshotVisitor& visit, const SnapshotPreview& preview) {
    uint64_t records = 0;
    for (uint64_t i = 0; i < header_.batch_count; ++i) {
      const Result<BatchHeader> batch = read_batch();
      if (!batch) return batch.error();
      records += batch->record_count;
      if (Status visited = visit_records(*batch, visit, preview); !visited) return visited;
    }
    if (next_.prev_chain != header_.last_chain || records != header_.record_count)
      return damage("it does not end as its header says");
    const Result<size_t> more = read_at(file_, next_.offset, buffer_.bytes().first(1), path_);
    if (!more) return more.error();
    if (*more != 0) return damage("there are bytes behind its last batch");
    return Ok{};
  }

 private:
  Result<BatchHeader> read_batch() {
    if (Status status = read(next_.offset, bounds::log_block_bytes); !status) return status.error();
    const std::optional<BatchHeader> header = orderlog::read_header(buffer_.bytes());
    if (!header) return damage(std::string(name_of(Flaw::no_header)));
    const Expected expected{files_.log_uuid, files_.stream, next_};
    Flaw flaw = check_header(*header, expected, bounds::batch_bytes_max);
    if (flaw == Flaw::none) {
      const size_t bytes = sealed_bytes(header->body_bytes);
      if (Status status = read(next_.offset, bytes); !status) return status.error();
      flaw = check_body(*header, buffer_.bytes().first(bytes)).flaw;
      next_.offset += bytes;
    }
    if (flaw != Flaw::none) return damage(std::string(name_of(flaw)));
    next_.batch_seq += 1;
    next_.next_lsn += header->record_count;
    next_.prev_chain = header->header_sum;
    return *header;
  }

  Status visit_records(const BatchHeader& header, const SnapshotVisitor& visit,
                       const SnapshotPreview& preview) {
    records_.clear();
    std::span<const std::byte> rest = buffer_.bytes().subspan(kHeaderBytes, header.body_bytes);
    while (!rest.empty()) {
      const std::optional<Decoded> decoded = decode(rest);
      CHECK(decoded.has_value());
      records_.push_back(decoded->record);
      rest = rest.subspan(decoded->bytes);
    }
    const auto show = [&](size_t i) {
      if (preview) preview(records_[i]);
    };
    const Status visited =
        visit_with_preview(records_, show, [&](size_t i) { return visit(records_[i]); });
    return visited ? visited : Status(damage(visited.error().message));
  }

  Status read(uint64_t offset, size_t bytes) {
    const Result<size_t> got = read_at(file_, offset, buffer_.bytes().first(bytes), path_);
    if (!got) return got.error();
    if (*got != bytes) return damage("it ends too early");
    return Ok{};
  }

  Error damage(const std::string& reason) const {
    return {path_ + " offset " + std::to_string(next_.offset) + ": " + reason, true};
  }

  const StreamFiles& files_;
  const std::string path_;
  SnapshotHeader header_;
  File file_;
  Position next_;
  AlignedBuffer buffer_;
  std::vector<Record> records_;  // of one batch, with texts that lie in it
};

SnapshotFacts facts_of(const SnapshotHeader& header) {
  return {.position = {.segment = header.segment,
                       .offset = 0,
                       .batch_seq = header.batch_seq,
                       .next_lsn = header.next_lsn,
                       .prev_chain = header.prev_chain},
          .epoch = header.epoch,
          .sequence_max = header.sequence_max,
          .wall_ns = header.wall_ns,
          .boot_id = header.boot_id,
          .record_count = header.record_count,
          .sum = header.header_sum};
}

}  // namespace

std::string snapshot_path(const StreamFiles& files, uint32_t segment) {
  char name[32];
  std::snprintf(name, sizeof name, "/%s%010u", kPrefix.data(), segment);
  return files.dir + name;
}

SnapshotWriter::SnapshotWriter(const StreamFiles& files)
    : files_(files), batch_(bounds::batch_bytes_max) {}

SnapshotWriter::~SnapshotWriter() {
  if (file_.is_open()) ::unlink(unfinished_path().c_str());
}

Status SnapshotWriter::begin(uint32_t segment) {
  CHECK(!file_.is_open());
  next_ = first_batch(segment);
  path_ = snapshot_path(files_, segment);
  const std::string unfinished = unfinished_path();
  const int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
  file_ = File(::open(unfinished.c_str(), flags, 0600));
  if (!file_.is_open()) return errno_error("create " + unfinished, errno);
  return Ok{};
}

Status SnapshotWriter::append(const Record& record) {
  const size_t bytes = encoded_bytes(record);
  if (sealed_bytes(body_bytes_ + bytes) > batch_.bytes().size())
    if (Status flushed = flush(); !flushed) return flushed;
  body_bytes_ += encode(record, batch_.bytes().subspan(kHeaderBytes + body_bytes_));
  record_count_ += 1;
  return Ok{};
}

Status SnapshotWriter::flush() {
  if (record_count_ == 0) return Ok{};
  BatchHeader header{.log_uuid = files_.log_uuid,
                     .stream = files_.stream,
                     .segment = next_.segment,
                     .batch_seq = next_.batch_seq,
                     .first_lsn = next_.next_lsn,
                     .record_count = record_count_,
                     .body_bytes = static_cast<uint32_t>(body_bytes_),
                     .prev_chain = next_.prev_chain};
  const std::span<const std::byte> bytes = seal(header, batch_.bytes());
  if (Status written = write_all(file_, next_.offset, bytes, path_); !written) return written;
  next_.offset += bytes.size();
  next_.batch_seq += 1;
  next_.next_lsn += record_count_;
  next_.prev_chain = header.header_sum;
  body_bytes_ = 0;
  record_count_ = 0;
  return Ok{};
}

Result<uint64_t> SnapshotWriter::finish(const SnapshotFacts& facts) {
  CHECK(facts.position.segment == next_.segment);
  CHECK(facts.position.offset == 0);
  if (Status flushed = flush(); !flushed) return flushed.error();
  const Result<uint64_t> sum = write_header(facts);
  if (!sum) return sum;
  if (Status synced = sync_file(file_, path_); !synced) return synced.error();
  if (Status renamed = rename_durably(unfinished_path(), path_); !renamed) return renamed.error();
  file_.close();
  return sum;
}

Result<uint64_t> SnapshotWriter::write_header(const SnapshotFacts& facts) {
  SnapshotHeader header{.log_uuid = files_.log_uuid,
                        .stream = files_.stream,
                        .segment = facts.position.segment,
                        .batch_seq = facts.position.batch_seq,
                        .next_lsn = facts.position.next_lsn,
                        .prev_chain = facts.position.prev_chain,
                        .epoch = facts.epoch,
                        .sequence_max = facts.sequence_max,
                        .wall_ns = facts.wall_ns,
                        .boot_id = facts.boot_id,
                        .record_count = next_.next_lsn - 1,
                        .batch_count = next_.batch_seq - 1,
                        .last_chain = next_.prev_chain};
  header.header_sum = sum_of(header);
  const AlignedBuffer block(bounds::log_block_bytes);
  std::memcpy(block.bytes().data(), &header, sizeof header);
  if (Status written = write_all(file_, 0, block.bytes(), path_); !written) return written.error();
  return header.header_sum;
}

Result<std::vector<uint32_t>> list_snapshots(const StreamFiles& files) {
  const Result<std::vector<std::string>> names = list_directory(files.dir);
  if (!names) return names.error();
  std::vector<uint32_t> segments;
  for (const std::string& name : *names)
    if (const std::optional<uint32_t> segment = snapshot_named(name)) segments.push_back(*segment);
  std::sort(segments.rbegin(), segments.rend());
  return segments;
}

Result<SnapshotFacts> read_snapshot(const StreamFiles& files, uint32_t segment,
                                    const SnapshotVisitor& visit, const SnapshotPreview& preview) {
  Scan scan(files, segment);
  const Result<SnapshotHeader> header = scan.read_header();
  if (!header) return header.error();
  if (Status read = scan.read_batches(visit, preview); !read) return read.error();
  return facts_of(*header);
}

Result<SnapshotFacts> read_snapshot_facts(const StreamFiles& files, uint32_t segment) {
  const Result<SnapshotHeader> header = Scan(files, segment).read_header();
  if (!header) return header.error();
  return facts_of(*header);
}

Status set_snapshot_aside(const StreamFiles& files, uint32_t segment, int64_t wall_ns) {
  const std::string path = snapshot_path(files, segment);
  return rename_durably(path,
                        path + ".damaged-" + std::string(TimeText(wall_ns / kMillisecond).view()));
}

Result<uint32_t> remove_old_snapshots(const StreamFiles& files) {
  const Result<std::vector<uint32_t>> snapshots = list_snapshots(files);
  if (!snapshots) return snapshots.error();
  for (size_t i = kSnapshotsKept; i < snapshots->size(); ++i) {
    const std::string path = snapshot_path(files, (*snapshots)[i]);
    if (::unlink(path.c_str()) != 0) return errno_error("remove " + path, errno);
  }
  return snapshots->size() < kSnapshotsKept ? 0 : (*snapshots)[kSnapshotsKept - 1];
}

}  // namespace stampede::orderlog
