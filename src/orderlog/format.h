// The bytes of the order log: batches of records.
//
// One batch is one group commit is one write: a header, the records of one turn (record.h), zeros
// up to the next 4 KiB block. Little endian, every number at its own alignment.
//
//     0  u32   magic "STB1"               4  u32  version
//     8  u64   header_sum: XXH3-64 of bytes 16..127, seeded with bytes 0..7
//    16  u128  log_uuid                  32  u32  stream          36  u32  segment
//    40  u64   batch_seq, gapless        48  u64  first_lsn
//    56  u32   record_count              60  u32  body_bytes
//    64  u64   prev_chain                72  u64  body_sum: XXH3-64 of the body
//    80  u64   durable_seq               88  u64  epoch
//    96  i64   wall_ns                  104  i64  boot_ns
//   112  u128  boot_id
//   128  body: records, then zeros
//
//     segment 7                                                              segment 8
//     ┌────────┬──────────────────┬────────┬─────────────────┬─ ─ ─ ─ ─┐     ┌────────┬─ ─
//     │ seq 41 │ seq 42           │ seq 43 │ seq 44 … SEGEND │  unused   │     │ seq 45 │
//     └────────┴──────────────────┴────────┴─────────────────┴─ ─ ─ ─ ─┘     └────────┴─ ─
//       chain ◄── prev_chain  ◄──── prev_chain ◄── prev_chain ◄─────────────── prev_chain
//
// The chain value of a batch is its header_sum: it covers body_sum (so the records) and prev_chain
// (so all that went before). A segment file is used again for a later part of the log without being
// cleared; stale bytes are recognized by uuid, stream, segment, sequence and chain, even when their
// checksums are right.
//
// Magic, version and header_sum keep their places and their meaning in every version, so that an
// old binary can tell a newer log from a damaged one.
//
// Why 4 KiB: it is the unit of O_DIRECT here and a multiple of every device sector; 64 KiB in one
// write cost nearly the same as 4 KiB (172 µs on the machine this was built on), so the padding of
// small batches costs space only.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "bounds.h"
#include "order.h"
#include "orderlog/marks.h"

namespace stampede::orderlog {

static_assert(std::endian::native == std::endian::little,
              "the format is little endian and read in place");

constexpr uint32_t kMagic = 0x31425453;  // "STB1"
constexpr uint32_t kFormatVersion = 1;
constexpr size_t kHeaderBytes = 128;
constexpr size_t kSummedFrom = 16;  // of every header: magic, version and the sum itself are before

using Uuid = std::array<uint8_t, 16>;
[[nodiscard]] std::string text_of(const Uuid& uuid);  // 32 hexadecimal digits

struct BatchHeader {
  uint32_t magic = kMagic;
  uint32_t version = kFormatVersion;
  uint64_t header_sum = 0;
  Uuid log_uuid{};
  uint32_t stream = 0;
  uint32_t segment = 0;
  uint64_t batch_seq = 0;
  Lsn first_lsn = 0;
  uint32_t record_count = 0;
  uint32_t body_bytes = 0;
  uint64_t prev_chain = 0;
  uint64_t body_sum = 0;
  uint64_t durable_seq = 0;  // highest batch_seq known to be durable when this batch was sealed
  uint64_t epoch = 0;        // of the ledger, as this stream knew it
  int64_t wall_ns = 0;       // when it was sealed
  int64_t boot_ns = 0;
  BootId boot_id;

  Lsn last_lsn() const { return first_lsn + record_count - 1; }
};
static_assert(sizeof(BatchHeader) == kHeaderBytes);

// Bytes that a batch takes in its file: header, body and padding.
constexpr size_t sealed_bytes(size_t body_bytes) {
  return (kHeaderBytes + body_bytes + bounds::log_block_bytes - 1) / bounds::log_block_bytes *
         bounds::log_block_bytes;
}
static_assert(sealed_bytes(0) == 4096 && sealed_bytes(4096 - 128) == 4096 &&
              sealed_bytes(4096 - 127) == 8192);

[[nodiscard]] uint64_t header_sum_of(const BatchHeader& header);

// Completes a batch whose body already lies at batch[128..128 + header.body_bytes): computes both
// sums, writes the header, clears the padding. `batch` holds at least sealed_bytes(body_bytes)
// bytes. Returns the bytes to write.
std::span<const std::byte> seal(BatchHeader& header, std::span<std::byte> batch);

// The fault of the bytes at a place where a batch is expected, in the order in which they are
// checked.
enum class Flaw : uint8_t {
  none,
  no_room,     // the segment ends here
  blank,       // zeros: nothing was ever written
  no_header,   // neither zeros nor a header whose sum is right
  version,     // a sound header of another version of the format
  log_uuid,    // a sound header of another log
  stream,      // of another stream of this log
  segment,     // of another segment: left from the file's former use
  batch_seq,   // not the sequence number that is expected
  prev_chain,  // not a continuation of the batch before
  first_lsn,   // record numbers do not continue
  body_bytes,  // the body does not fit into a batch or into the segment
  body_sum,    // the body has changed since it was sealed
  padding,     // not zeros behind the body
  records,     // the body is no sequence of record_count records
};
[[nodiscard]] std::string_view name_of(Flaw flaw);

// Which batch is expected: of this log, at this place.
struct Expected {
  Uuid log_uuid{};
  uint32_t stream = 0;
  Position position;
};

[[nodiscard]] bool is_blank(std::span<const std::byte> bytes);  // all zeros

// A header whose magic and sum are right, of any log, place and version; nullopt otherwise.
[[nodiscard]] std::optional<BatchHeader> read_header(std::span<const std::byte> block);

// Compares a header that read_header() gave with the expected one. `room` is the bytes from here
// to the segment's end.
[[nodiscard]] Flaw check_header(const BatchHeader& header, const Expected& expected, size_t room);

// Checks a whole batch of sealed_bytes(header.body_bytes) bytes: body, padding, records. A record
// that ends the segment is the last of its batch and names the next segment.
struct BodyCheck {
  Flaw flaw = Flaw::none;
  bool ends_segment = false;
};
[[nodiscard]] BodyCheck check_body(const BatchHeader& header, std::span<const std::byte> batch);

// The bytes are a header of this log but for a damaged field: something was written here, and not
// by a former use.
[[nodiscard]] bool resembles_header(std::span<const std::byte> block, const Expected& expected);

}  // namespace stampede::orderlog
