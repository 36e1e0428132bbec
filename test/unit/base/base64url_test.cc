#include "base/base64url.h"

#include <doctest/doctest.h>
#include <sodium.h>

#include <array>
#include <random>
#include <string>

namespace stampede {
namespace {

std::string rendered(std::string_view bytes) {
  std::string text(base64url_chars(bytes.size()), '?');
  render_base64url({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}, text);
  return text;
}

std::optional<std::string> parsed(std::string_view text, size_t room = 256) {
  std::string bytes(room, '?');
  const auto size = parse_base64url(text, {reinterpret_cast<uint8_t*>(bytes.data()), bytes.size()});
  if (!size) return std::nullopt;
  return bytes.substr(0, *size);
}

TEST_SUITE("base/base64url") {
  TEST_CASE("the examples of RFC 4648 section 10 are met without their padding") {
    const std::array<std::array<const char*, 2>, 7> examples = {{{"", ""},
                                                                 {"f", "Zg"},
                                                                 {"fo", "Zm8"},
                                                                 {"foo", "Zm9v"},
                                                                 {"foob", "Zm9vYg"},
                                                                 {"fooba", "Zm9vYmE"},
                                                                 {"foobar", "Zm9vYmFy"}}};
    for (const auto& [bytes, text] : examples) {
      CHECK(rendered(bytes) == text);
      CHECK(parsed(text) == bytes);
    }
    CHECK(rendered("\xfb\xff\xbf") == "-_-_");
  }

  TEST_CASE("random bytes are written as libsodium writes them and read back") {
    const unsigned seed = std::random_device{}();
    INFO("seed " << seed);
    std::mt19937_64 random(seed);
    for (size_t size = 0; size < 130; ++size) {
      std::string bytes(size, '\0');
      for (char& byte : bytes) byte = static_cast<char>(random());
      std::array<char, 256> expected;
      sodium_bin2base64(expected.data(), expected.size(),
                        reinterpret_cast<const unsigned char*>(bytes.data()), size,
                        sodium_base64_VARIANT_URLSAFE_NO_PADDING);
      REQUIRE(rendered(bytes) == expected.data());
      REQUIRE(parsed(expected.data(), size) == bytes);
    }
  }

  TEST_CASE("every text of two characters is the only spelling of its byte or refused") {
    unsigned accepted = 0;
    for (unsigned first = 0; first < 256; ++first)
      for (unsigned second = 0; second < 256; ++second) {
        const std::string text = {static_cast<char>(first), static_cast<char>(second)};
        const auto bytes = parsed(text);
        if (!bytes) continue;
        ++accepted;
        REQUIRE(rendered(*bytes) == text);
      }
    CHECK(accepted == 256);
  }

  TEST_CASE("a byte above 127 is no digit") {
    for (unsigned byte = 128; byte < 256; ++byte)
      CHECK_FALSE(parsed(std::string("AAA") + static_cast<char>(byte)));
  }

  TEST_CASE("each place of a group has its 64 digits and no others") {
    constexpr std::string_view alphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for (size_t place = 0; place < 8; ++place) {
      for (unsigned byte = 0; byte < 256; ++byte) {
        std::string text = "AAAAAAAA";
        text[place] = static_cast<char>(byte);
        std::array<uint8_t, 6> bytes;
        const std::optional<size_t> size = parse_base64url(text, bytes);
        const size_t value = alphabet.find(text[place]);
        CAPTURE(place);
        CAPTURE(byte);
        REQUIRE(size.has_value() == (value != alphabet.npos));
        if (!size) continue;
        uint64_t number = 0;
        for (uint8_t each : bytes) number = number << 8 | each;
        REQUIRE(number == uint64_t{value} << (6 * (7 - place)));
      }
    }
  }

  TEST_CASE("padding and spaces and the other alphabet are refused") {
    for (const char* text :
         {"Zg==", "Zm8=", "Zm9v=", "=", "Zm9v ", " Zm9v", "Zm\n9v", "+/+/", "A", "Zm9vY"})
      CHECK_FALSE(parsed(text));
    CHECK_FALSE(parsed(std::string_view("AA\0A", 4)));
  }

  TEST_CASE("more bytes than there is room for are refused") {
    CHECK(parsed("Zm9v", 3) == "foo");
    CHECK_FALSE(parsed("Zm9v", 2));
    CHECK_FALSE(parsed("Zg", 0));
    CHECK(parsed("", 0) == "");
  }
}

}  // namespace
}  // namespace stampede
