#include "base/hex.h"

#include <doctest/doctest.h>

#include <array>
#include <random>
#include <string>

namespace stampede {
namespace {

std::string rendered(uint64_t value) {
  std::array<char, kHex64Bytes> text;
  render_hex64(value, text);
  return {text.data(), text.size()};
}

TEST_SUITE("base/hex") {
  TEST_CASE("64 bits are always 16 lower-case digits with the highest first") {
    CHECK(rendered(0) == "0000000000000000");
    CHECK(rendered(0x0a1b2c3d4e5f6789) == "0a1b2c3d4e5f6789");
    CHECK(rendered(UINT64_MAX) == "ffffffffffffffff");
  }

  TEST_CASE("64 bits are read from exactly 16 digits of either case") {
    CHECK(parse_hex64("0a1b2c3d4e5f6789") == 0x0a1b2c3d4e5f6789);
    CHECK(parse_hex64("0A1B2C3D4E5F6789") == 0x0a1b2c3d4e5f6789);
    CHECK_FALSE(parse_hex64(""));
    CHECK_FALSE(parse_hex64("0a1b2c3d4e5f678"));
    CHECK_FALSE(parse_hex64("0a1b2c3d4e5f67890"));
    CHECK_FALSE(parse_hex64("0x1b2c3d4e5f6789"));
    CHECK_FALSE(parse_hex64(" a1b2c3d4e5f6789"));
    CHECK_FALSE(parse_hex64("-a1b2c3d4e5f6789"));
  }

  TEST_CASE("the characters beside the digits in ASCII are no digits") {
    for (char c : {'/', ':', '@', 'G', '`', 'g', '\0', '\x80'}) {
      std::string text = "0a1b2c3d4e5f6789";
      text[7] = c;
      CHECK_FALSE(parse_hex64(text));
    }
  }

  TEST_CASE("bytes survive the way to text and back") {
    const unsigned seed = std::random_device{}();
    INFO("seed " << seed);
    std::mt19937_64 random(seed);
    for (size_t size = 0; size < 64; ++size) {
      std::string bytes(size, '\0'), text(2 * size, '\0'), back(size, '\0');
      for (char& byte : bytes) byte = static_cast<char>(random());
      render_hex({reinterpret_cast<const uint8_t*>(bytes.data()), size}, text);
      REQUIRE(parse_hex(text, {reinterpret_cast<uint8_t*>(back.data()), size}));
      REQUIRE(back == bytes);
    }
  }

  TEST_CASE("bytes are not read from too few or too many digits") {
    std::array<uint8_t, 2> bytes;
    CHECK(parse_hex("00fF", bytes));
    CHECK(bytes == std::array<uint8_t, 2>{0x00, 0xff});
    CHECK_FALSE(parse_hex("00f", bytes));
    CHECK_FALSE(parse_hex("00ff0", bytes));
    CHECK_FALSE(parse_hex("00ff00", bytes));
    CHECK_FALSE(parse_hex("00fg", bytes));
  }
}

}  // namespace
}  // namespace stampede
