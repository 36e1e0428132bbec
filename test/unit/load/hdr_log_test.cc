#include "load/hdr_log.h"

#include <doctest/doctest.h>
#include <sodium.h>
#include <zlib.h>

#include "base/histogram.h"

using namespace stampede;
using namespace stampede::load;

namespace {

std::string unpacked(const std::string& text) {
  std::string bytes(text.size(), '\0');
  size_t size = 0;
  REQUIRE(sodium_base642bin(reinterpret_cast<unsigned char*>(bytes.data()), bytes.size(),
                            text.data(), text.size(), nullptr, &size, nullptr,
                            sodium_base64_VARIANT_ORIGINAL) == 0);
  CHECK(bytes.substr(0, 4) == "\x1c\x84\x93\x14");
  std::string out(64 * 1024, '\0');
  uLongf length = out.size();
  REQUIRE(uncompress(reinterpret_cast<Bytef*>(out.data()), &length,
                     reinterpret_cast<const Bytef*>(bytes.data() + 8), size - 8) == Z_OK);
  return out.substr(0, length);
}

std::string hex(const std::string& bytes) {
  std::string text;
  for (unsigned char byte : bytes)
    for (unsigned digit : {byte >> 4, byte & 15}) text += "0123456789abcdef"[digit];
  return text;
}

}  // namespace

TEST_SUITE("load/hdr_log") {
  // HdrHistogram 2.1.11 (Debian's libhdrhistogram-java) reads these texts as what was recorded.
  TEST_CASE("a histogram is encoded as HdrHistogram does it") {
    Histogram histogram;
    histogram.record(0);
    histogram.record(2, 100);
    histogram.record(200);
    // One 0, no 1, 100 twos, 197 nothings, one in the bucket of 200.
    CHECK(hex(unpacked(hdr_text(histogram))) ==
          "1c849313"
          "00000007"
          "00000000"
          "00000002"
          "0000000000000001"
          "0000800000000000"
          "3ff0000000000000"
          "02"
          "00"
          "c801"
          "8903"
          "02");
  }

  TEST_CASE("a histogram of nothing has no counts") {
    CHECK(unpacked(hdr_text(Histogram())).size() == 40);
  }

  TEST_CASE("what is too long to be counted counts as the longest") {
    Histogram longest, longer;
    longest.record(uint64_t{1} << 47);
    longer.record(uint64_t{1} << 60);
    CHECK(unpacked(hdr_text(longest)) == unpacked(hdr_text(longer)));
  }

  TEST_CASE("a line has its tag, begin, length and maximum in front") {
    Histogram histogram;
    histogram.record(2'500'000);
    CHECK(hdr_line("", 1, 1.0004, histogram) ==
          "1.000,1.000,2.500000," + hdr_text(histogram) + "\n");
    CHECK(hdr_line("created", 0, 60, histogram)
              .starts_with("Tag=created,0.000,60.000,2.500000,HIST"));
    CHECK(hdr_heading(1'795'860'000'500'000'000)
              .find("#[StartTime: 1795860000.500 (seconds since epoch)]\n") != std::string::npos);
  }
}
