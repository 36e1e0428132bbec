#include "load/hdr_log.h"

#include <sodium.h>
#include <zlib.h>

#include <algorithm>
#include <bit>
#include <vector>

#include "base/check.h"
#include "load/number_text.h"

namespace stampede::load {
namespace {

constexpr uint32_t kCookie = 0x1c849313,
                   kCompressedCookie = 0x1c849314;  // V2, counts of any length
constexpr uint32_t kSignificantDigits = 2;
constexpr unsigned kSubBucketBits = 8;  // 256 sub-buckets: the power of two above 2 × 10^digits
constexpr uint64_t kHighest = uint64_t{1} << 47;

// Where HdrHistogram counts a value.
size_t index_of(uint64_t value) {
  const unsigned shift =
      static_cast<unsigned>(std::bit_width(value | ((1u << kSubBucketBits) - 1))) - kSubBucketBits;
  return (size_t{shift} << (kSubBucketBits - 1)) + (value >> shift);
}

std::vector<uint64_t> counts_of(const Histogram& histogram) {
  std::vector<uint64_t> counts;
  for (size_t bucket = 0; bucket < Histogram::kBucketCount; ++bucket) {
    const uint64_t n = histogram.count_of(bucket);
    if (n == 0) continue;
    const uint64_t lowest = Histogram::lowest_of(bucket), highest = Histogram::highest_of(bucket);
    const uint64_t value = std::min(lowest + (highest - lowest) / 2, histogram.max());
    const size_t index = index_of(std::min(value, kHighest));
    counts.resize(std::max(counts.size(), index + 1));
    counts[index] += n;
  }
  return counts;
}

template <typename Number>
void append_big_endian(Number number, std::string& out) {
  for (size_t byte = sizeof number; byte-- > 0;)
    out += static_cast<char>(number >> (8 * byte) & 0xFF);
}

// Seven bits a byte, the low ones first, the sign in the lowest bit of all.
void append_signed(int64_t number, std::string& out) {
  auto rest = static_cast<uint64_t>(number) << 1 ^ static_cast<uint64_t>(number >> 63);
  for (; rest >= 0x80; rest >>= 7) out += static_cast<char>((rest & 0x7F) | 0x80);
  out += static_cast<char>(rest);
}

// Runs of zeros are their negative length.
std::string payload_of(const std::vector<uint64_t>& counts) {
  std::string payload;
  int64_t zeros = 0;
  for (const uint64_t count : counts) {
    if (count == 0) {
      ++zeros;
      continue;
    }
    if (zeros > 0) append_signed(zeros == 1 ? 0 : -zeros, payload);
    zeros = 0;
    append_signed(static_cast<int64_t>(count), payload);
  }
  return payload;
}

std::string encoded(const Histogram& histogram) {
  const std::string payload = payload_of(counts_of(histogram));
  std::string bytes;
  append_big_endian(kCookie, bytes);
  append_big_endian(static_cast<uint32_t>(payload.size()), bytes);
  append_big_endian(uint32_t{0}, bytes);  // the offset of a shifted histogram
  append_big_endian(kSignificantDigits, bytes);
  append_big_endian(uint64_t{1}, bytes);  // the lowest value that differs from 0
  append_big_endian(kHighest, bytes);
  append_big_endian(std::bit_cast<uint64_t>(1.0), bytes);  // the ratio of integers to doubles
  return bytes + payload;
}

std::string compressed(const std::string& bytes) {
  uLongf size = compressBound(bytes.size());
  std::string out(size, '\0');
  CHECK(compress2(reinterpret_cast<Bytef*>(out.data()), &size,
                  reinterpret_cast<const Bytef*>(bytes.data()), bytes.size(),
                  Z_BEST_COMPRESSION) == Z_OK);
  out.resize(size);
  return out;
}

}  // namespace

std::string hdr_text(const Histogram& histogram) {
  const std::string small = compressed(encoded(histogram));
  std::string bytes;
  append_big_endian(kCompressedCookie, bytes);
  append_big_endian(static_cast<uint32_t>(small.size()), bytes);
  bytes += small;
  std::string text(sodium_base64_ENCODED_LEN(bytes.size(), sodium_base64_VARIANT_ORIGINAL), '\0');
  sodium_bin2base64(text.data(), text.size(), reinterpret_cast<const unsigned char*>(bytes.data()),
                    bytes.size(), sodium_base64_VARIANT_ORIGINAL);
  text.pop_back();  // the zero at its end
  return text;
}

std::string hdr_heading(int64_t begin_wall_ns) {
  const double begin_s = static_cast<double>(begin_wall_ns) / 1e9;
  return "#[Logged by stampede load]\n#[Histogram log format version 1.3]\n" +
         format("#[StartTime: %.3f (seconds since epoch)]\n", begin_s) +
         "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\","
         "\"Interval_Compressed_Histogram\"\n";
}

std::string hdr_line(std::string_view tag, double begin_s, double length_s,
                     const Histogram& histogram) {
  std::string line = tag.empty() ? "" : "Tag=" + std::string(tag) + ',';
  line += format("%.3f,%.3f,%.6f,", begin_s, length_s, static_cast<double>(histogram.max()) / 1e6);
  return line + hdr_text(histogram) + '\n';
}

}  // namespace stampede::load
