#include "orderlog/format.h"

#include "rig.h"

#include <doctest/doctest.h>

#include <cstring>
#include <vector>

namespace stampede::orderlog {
namespace {

const Expected kExpected{
    .log_uuid = {1, 2, 3},
    .stream = 4,
    .position = {.segment = 5, .offset = 8192, .batch_seq = 6, .next_lsn = 7, .prev_chain = 8}};

struct Sealed {
  BatchHeader header;
  std::vector<std::byte> bytes;
};

// A batch that fits kExpected, changed by `change` before it is sealed.
template <typename Change>
Sealed sealed(Change change,
              const std::vector<Record>& records = {sample_reserve(1), sample_reserve(2)}) {
  Sealed batch{.header = {.log_uuid = kExpected.log_uuid,
                          .stream = 4,
                          .segment = 5,
                          .batch_seq = 6,
                          .first_lsn = 7,
                          .prev_chain = 8},
               .bytes = std::vector<std::byte>(64 * 1024, std::byte{0x5a})};
  for (const Record& record : records) {
    batch.header.body_bytes += static_cast<uint32_t>(
        encode(record, std::span(batch.bytes).subspan(kHeaderBytes + batch.header.body_bytes)));
    batch.header.record_count += 1;
  }
  change(batch);
  batch.bytes.resize(seal(batch.header, batch.bytes).size());
  return batch;
}

Flaw flaw_of(const Sealed& batch, size_t room = 65536) {
  const std::optional<BatchHeader> header = read_header(batch.bytes);
  if (!header) return Flaw::no_header;
  if (const Flaw flaw = check_header(*header, kExpected, room); flaw != Flaw::none) return flaw;
  return check_body(*header, batch.bytes).flaw;
}

TEST_SUITE("orderlog/format") {
  TEST_CASE("a sealed batch is sound and padded with zeros to whole blocks") {
    const Sealed batch = sealed([](Sealed&) {});
    CHECK_EQ(batch.bytes.size(), 4096);
    CHECK(flaw_of(batch) == Flaw::none);
    CHECK(is_blank(std::span(batch.bytes).subspan(kHeaderBytes + batch.header.body_bytes)));
  }

  TEST_CASE("each header field that differs from what is expected is named") {
    CHECK(flaw_of(sealed([](Sealed& b) { b.header.magic += 1; })) == Flaw::no_header);
    CHECK(flaw_of(sealed([](Sealed& b) { b.header.version += 1; })) == Flaw::version);
    CHECK(flaw_of(sealed([](Sealed& b) { b.header.log_uuid[0] ^= 1; })) == Flaw::log_uuid);
    CHECK(flaw_of(sealed([](Sealed& b) { b.header.stream += 1; })) == Flaw::stream);
    CHECK(flaw_of(sealed([](Sealed& b) { b.header.segment -= 1; })) == Flaw::segment);
    CHECK(flaw_of(sealed([](Sealed& b) { b.header.batch_seq += 1; })) == Flaw::batch_seq);
    CHECK(flaw_of(sealed([](Sealed& b) { b.header.prev_chain += 1; })) == Flaw::prev_chain);
    CHECK(flaw_of(sealed([](Sealed& b) { b.header.first_lsn += 1; })) == Flaw::first_lsn);
    CHECK(flaw_of(sealed([](Sealed& b) { b.header.record_count = 0; })) == Flaw::records);
    CHECK(flaw_of(sealed([](Sealed& b) { b.header.record_count += 1; })) == Flaw::records);
    CHECK(flaw_of(sealed([](Sealed& b) { b.header.record_count -= 1; })) == Flaw::records);
    CHECK(flaw_of(sealed([](Sealed& b) { b.header.body_bytes -= 8; })) == Flaw::records);
  }

  TEST_CASE("the chain value covers the records and all that went before") {
    const uint64_t chain = sealed([](Sealed&) {}).header.header_sum;
    CHECK_NE(sealed([](Sealed& b) { b.header.prev_chain += 1; }).header.header_sum, chain);
    CHECK_NE(
        sealed([](Sealed& b) { b.bytes[kHeaderBytes + 20] ^= std::byte{1}; }).header.header_sum,
        chain);
    CHECK_EQ(sealed([](Sealed&) {}).header.header_sum, chain);
  }

  TEST_CASE("every bit of a batch matters") {
    Sealed batch = sealed([](Sealed&) {});
    for (size_t bit = 0; bit < 8 * batch.bytes.size(); ++bit) {
      batch.bytes[bit / 8] ^= std::byte{1} << (bit % 8);
      const bool is_refused = flaw_of(batch) != Flaw::none;
      batch.bytes[bit / 8] ^= std::byte{1} << (bit % 8);
      if (!is_refused) FAIL("bit ", bit);
    }
  }

  TEST_CASE("a batch longer than the room that is left is refused before its body is looked at") {
    const Sealed batch = sealed([](Sealed&) {});
    CHECK(flaw_of(batch, 4096) == Flaw::none);
    CHECK(flaw_of(batch, 4095) == Flaw::body_bytes);
    BatchHeader header = batch.header;
    for (const uint32_t length :
         {uint32_t{bounds::batch_bytes_max - 127}, 0x80000000u, 0xffffffffu}) {
      header.body_bytes = length;
      CHECK(check_header(header, kExpected, SIZE_MAX) == Flaw::body_bytes);
    }
    header.body_bytes = bounds::batch_bytes_max - kHeaderBytes;
    CHECK(check_header(header, kExpected, bounds::batch_bytes_max) == Flaw::none);
  }

  TEST_CASE("a record that ends the segment is the last and names the next one") {
    const auto check = [](const std::vector<Record>& records) {
      const Sealed batch = sealed([](Sealed&) {}, records);
      return check_body(batch.header, batch.bytes);
    };
    CHECK(check({sample_reserve(1), SegmentEnd{6}}).flaw == Flaw::none);
    CHECK(check({sample_reserve(1), SegmentEnd{6}}).ends_segment);
    CHECK_FALSE(check({sample_reserve(1)}).ends_segment);
    CHECK(check({SegmentEnd{6}, sample_reserve(1)}).flaw == Flaw::records);
    CHECK(check({sample_reserve(1), SegmentEnd{7}}).flaw == Flaw::records);
  }

  TEST_CASE("a damaged header still resembles one and other bytes do not") {
    Sealed batch = sealed([](Sealed&) {});
    for (size_t bit = 0; bit < 8 * kHeaderBytes; ++bit) {
      batch.bytes[bit / 8] ^= std::byte{1} << (bit % 8);
      if (!resembles_header(batch.bytes, kExpected)) FAIL("bit ", bit);
      batch.bytes[bit / 8] ^= std::byte{1} << (bit % 8);
    }
    const std::vector<std::byte> other(4096, std::byte{0x5a});
    CHECK_FALSE(resembles_header(other, kExpected));
  }

  TEST_CASE("blank means all zeros") {
    std::vector<std::byte> bytes(100);
    CHECK(is_blank(bytes));
    CHECK(is_blank({}));
    for (std::byte& byte : bytes) {
      byte = std::byte{1};
      CHECK_FALSE(is_blank(bytes));
      byte = std::byte{0};
    }
  }
}

}  // namespace
}  // namespace stampede::orderlog
