#include "orderlog/format.h"

#include <cstring>

#include "base/check.h"
#include "base/hash.h"
#include "base/hex.h"
#include "orderlog/record.h"

namespace stampede::orderlog {
namespace {

uint64_t seed_of(uint32_t magic, uint32_t version) {
  return (uint64_t{version} << 32) | magic;
}

BodyCheck check_records(const BatchHeader& header, std::span<const std::byte> body) {
  bool ends_segment = false;
  for (uint32_t i = 0; i < header.record_count; ++i) {
    const std::optional<Decoded> decoded = decode(body);
    if (!decoded || ends_segment) return {Flaw::records};
    if (const auto* end = std::get_if<SegmentEnd>(&decoded->record)) {
      if (end->next_segment != header.segment + 1) return {Flaw::records};
      ends_segment = true;
    }
    body = body.subspan(decoded->bytes);
  }
  return {body.empty() ? Flaw::none : Flaw::records, ends_segment};
}

}  // namespace

bool is_blank(std::span<const std::byte> bytes) {
  // Equal to itself shifted by one byte, and the first is zero: memcmp goes 32 bytes at a time.
  return bytes.empty() || (bytes[0] == std::byte{0} &&
                           std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

std::string text_of(const Uuid& uuid) {
  std::string text(2 * uuid.size(), '\0');
  render_hex(uuid, text);
  return text;
}

uint64_t header_sum_of(const BatchHeader& header) {
  const auto bytes = std::as_bytes(std::span(&header, 1)).subspan(kSummedFrom);
  return checksum(bytes, seed_of(header.magic, header.version));
}

std::span<const std::byte> seal(BatchHeader& header, std::span<std::byte> batch) {
  const size_t bytes = sealed_bytes(header.body_bytes);
  const size_t used = kHeaderBytes + header.body_bytes;
  CHECK(bytes <= batch.size());
  header.body_sum = checksum(batch.subspan(kHeaderBytes, header.body_bytes));
  header.header_sum = header_sum_of(header);
  std::memcpy(batch.data(), &header, sizeof header);
  std::memset(batch.data() + used, 0, bytes - used);
  return batch.first(bytes);
}

std::string_view name_of(Flaw flaw) {
  switch (flaw) {
    case Flaw::none:
      return "sound";
    case Flaw::no_room:
      return "the segment has no room for a batch here";
    case Flaw::blank:
      return "nothing was written here";
    case Flaw::no_header:
      return "no batch begins here: the header's checksum is wrong";
    case Flaw::version:
      return "the batch has another version of the format";
    case Flaw::log_uuid:
      return "the batch belongs to another log";
    case Flaw::stream:
      return "the batch belongs to another stream";
    case Flaw::segment:
      return "the batch belongs to another segment";
    case Flaw::batch_seq:
      return "the batch has another sequence number";
    case Flaw::prev_chain:
      return "the batch does not follow the one before it";
    case Flaw::first_lsn:
      return "the record numbers do not continue";
    case Flaw::body_bytes:
      return "the length of the batch is impossible";
    case Flaw::body_sum:
      return "the checksum of the records is wrong";
    case Flaw::padding:
      return "the bytes behind the records are not zero";
    case Flaw::records:
      return "the bytes are no records";
  }
  return "unknown";
}

std::optional<BatchHeader> read_header(std::span<const std::byte> block) {
  if (block.size() < kHeaderBytes) return std::nullopt;
  BatchHeader header;
  std::memcpy(&header, block.data(), sizeof header);
  if (header.magic != kMagic || header.header_sum != header_sum_of(header)) return std::nullopt;
  return header;
}

Flaw check_header(const BatchHeader& header, const Expected& expected, size_t room) {
  const Position& position = expected.position;
  if (header.version != kFormatVersion) return Flaw::version;
  if (header.log_uuid != expected.log_uuid) return Flaw::log_uuid;
  if (header.stream != expected.stream) return Flaw::stream;
  if (header.segment != position.segment) return Flaw::segment;
  if (header.batch_seq != position.batch_seq) return Flaw::batch_seq;
  if (header.prev_chain != position.prev_chain) return Flaw::prev_chain;
  if (header.first_lsn != position.next_lsn) return Flaw::first_lsn;
  // In this order: sealed_bytes() of a length that is bounded cannot overflow.
  if (header.body_bytes > bounds::batch_bytes_max - kHeaderBytes) return Flaw::body_bytes;
  if (sealed_bytes(header.body_bytes) > room) return Flaw::body_bytes;
  if (header.record_count == 0) return Flaw::records;
  return Flaw::none;
}

BodyCheck check_body(const BatchHeader& header, std::span<const std::byte> batch) {
  const auto body = batch.subspan(kHeaderBytes, header.body_bytes);
  if (checksum(body) != header.body_sum) return {Flaw::body_sum};
  if (!is_blank(batch.subspan(kHeaderBytes + header.body_bytes))) return {Flaw::padding};
  return check_records(header, body);
}

bool resembles_header(std::span<const std::byte> block, const Expected& expected) {
  if (block.size() < kHeaderBytes) return false;
  BatchHeader header;
  std::memcpy(&header, block.data(), sizeof header);
  return header.magic == kMagic || header.log_uuid == expected.log_uuid ||
         header.header_sum == checksum(block.subspan(kSummedFrom, kHeaderBytes - kSummedFrom),
                                       seed_of(kMagic, kFormatVersion));
}

}  // namespace stampede::orderlog
