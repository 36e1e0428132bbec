#include "door/address.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>

#include <random>
#include <string>

namespace stampede::door {
namespace {

AddressGroup group(std::string_view text) {
  const std::optional<Address> address = parse_address(text);
  REQUIRE(address);
  return group_of(*address);
}

TEST_SUITE("door/address") {
  TEST_CASE("addresses of one IPv6 subscriber count as one and their neighbours do not") {
    CHECK(group("2001:db8:1:2::1") == group("2001:db8:1:2:ffff:ffff:ffff:ffff"));
    CHECK(group("2001:db8:1:2::1") == group("2001:0DB8:0001:0002:0:0:0:9"));
    CHECK(group("2001:db8:1:2::1") != group("2001:db8:1:3::1"));
    CHECK(group("2001:db8:1:2::1") != group("2001:db8:0:2::1"));
  }

  TEST_CASE("an IPv4 address counts by itself and in the clothes of IPv6 alike") {
    CHECK(group("192.0.2.1") == group("::ffff:192.0.2.1"));
    CHECK(group("192.0.2.1") == group("::FFFF:c000:201"));
    CHECK(group("192.0.2.1") != group("192.0.2.2"));
    CHECK(group("192.0.2.1") != group("::ffff:192.0.2.2"));
  }

  TEST_CASE("no IPv4 address shares its count with an IPv6 one") {
    CHECK(group("::1") != kNoGroup);
    CHECK(group("::1") != group("192.0.2.1"));
    CHECK(group("0:0:c000:201::") != group("192.0.2.1"));
    CHECK(group("::192.0.2.1") != group("192.0.2.1"));
  }

  TEST_CASE("what is not one address as a gateway writes it is none") {
    for (const char* text :
         {"", " ", "unknown", "localhost", "192.0.2.1:80", "[2001:db8::1]", "192.0.2.1, 192.0.2.2",
          "192.0.2.1 ", " 192.0.2.1", "192.0.2", "192.0.2.256", "192.0.2.01", "0xc0000201",
          "3221225985", "2001:db8::1%eth0", "2001:db8::1/64", "2001:db8:::1", "1:2:3:4:5:6:7",
          "::ffff:192.0.2.256"}) {
      CAPTURE(text);
      CHECK(!parse_address(text));
    }
    CHECK(!parse_address(std::string_view("192.0.2.1\0", 10)));
    CHECK(!parse_address(std::string(300, '1')));
  }

  TEST_CASE("an IPv4 address is what inet_pton takes for one") {
    const unsigned seed = std::random_device{}();
    INFO("seed " << seed);
    std::mt19937_64 random(seed);
    constexpr std::string_view bytes = "0011222559.. /a";
    unsigned valid = 0;
    for (int i = 0; i < 200'000; ++i) {
      std::string text;
      for (int part = 0; part < 4; ++part)
        text += std::to_string(random() % 300) + (part < 3 ? "." : "");
      for (uint64_t changes = random() % 3; changes > 0; --changes)
        text[random() % text.size()] = bytes[random() % bytes.size()];
      uint8_t four[4];
      const bool is_valid = inet_pton(AF_INET, text.c_str(), four) == 1 &&
                            (four[0] < 224 || four[0] >= 240) &&
                            (four[0] | four[1] | four[2] | four[3]) != 0;
      const std::optional<Address> parsed = parse_address(text);
      CAPTURE(text);
      REQUIRE(parsed.has_value() == is_valid);
      if (is_valid) REQUIRE(*parsed == address_of_ipv4(four));
      valid += is_valid;
    }
    CHECK(valid > 1'000);
  }

  TEST_CASE("addresses that nobody can ask from are none") {
    for (const char* text : {"0.0.0.0", "::", "::ffff:0.0.0.0", "224.0.0.1", "239.255.255.255",
                             "::ffff:224.0.0.1", "ff02::1", "ffff:ffff:c000:201::"}) {
      CAPTURE(text);
      CHECK(!parse_address(text));
    }
    CHECK(parse_address("240.0.0.1"));
    CHECK(parse_address("223.255.255.255"));
  }

  TEST_CASE("the other end of a Unix socket has no address") {
    CHECK(!Address{}.is_known());
    CHECK(group_of(Address{}) == kNoGroup);
  }

  TEST_CASE("the bytes of a socket give the address of its text") {
    const uint8_t four[] = {192, 0, 2, 1};
    CHECK(address_of_ipv4(four) == *parse_address("192.0.2.1"));
    const uint8_t sixteen[] = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    CHECK(address_of_ipv6(sixteen) == *parse_address("2001:db8::1"));
  }
}

}  // namespace
}  // namespace stampede::door
