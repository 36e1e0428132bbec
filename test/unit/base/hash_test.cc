#include "base/hash.h"

#include <doctest/doctest.h>

#include <set>
#include <string>

namespace stampede {
namespace {

uint64_t checksum_of(std::string_view text, uint64_t seed = 0) {
  return checksum(std::as_bytes(std::span(text)), seed);
}

HashKey counting_key() {
  HashKey key;
  for (uint8_t i = 0; i < key.size(); ++i) key[i] = i;
  return key;
}

TEST_SUITE("base/hash") {
  TEST_CASE("the checksum is XXH3-64 as logs on disk expect it") {
    CHECK(checksum_of("") == 0x2d06800538d394c2);
    CHECK(checksum_of("stampede") == 0x486cb0c7b598a316);
    CHECK(checksum_of("stampede", 1) != checksum_of("stampede"));
  }

  TEST_CASE("one flipped bit changes the checksum") {
    std::string bytes(256, 's');
    const uint64_t before = checksum_of(bytes);
    for (size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
      bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
      REQUIRE(checksum_of(bytes) != before);
      bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
    }
  }

  TEST_CASE("the keyed hash is SipHash-2-4 with the test vector of its paper") {
    std::string text(15, '\0');
    for (char c = 0; c < 15; ++c) text[static_cast<size_t>(c)] = c;
    CHECK(keyed_hash(counting_key(), text) == 0xa129ca6149be45e5);
  }

  TEST_CASE("another key gives another hash") {
    HashKey other = counting_key();
    other[15] ^= 1;
    CHECK(keyed_hash(counting_key(), "u1") != keyed_hash(other, "u1"));
    CHECK(keyed_hash(counting_key(), "u1") != keyed_hash(counting_key(), "u2"));
  }

  TEST_CASE("mixing spreads neighbours and loses none of them") {
    std::set<uint64_t> mixed, low_bits;
    for (uint64_t i = 0; i < 1'000; ++i) {
      mixed.insert(mix(i << 14));
      low_bits.insert(mix(i << 14) % 1024);
    }
    CHECK(mixed.size() == 1'000);
    CHECK(low_bits.size() > 500);  // the plain values would all fall on one
  }
}

}  // namespace
}  // namespace stampede
