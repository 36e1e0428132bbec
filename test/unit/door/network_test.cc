// Addresses and networks as people write them.
#include "door/network.h"

#include <doctest/doctest.h>

namespace stampede::door {
namespace {

// As text again; empty: refused.
std::string again(std::string_view text) {
  const std::optional<Network> network = parse_network(text);
  return network ? text_of(*network) : "";
}

TEST_SUITE("door/network") {
  TEST_CASE("an IPv4 address counts whole and an IPv6 address by its first 64 bits") {
    CHECK(again("10.0.0.1") == "10.0.0.1");
    CHECK(again("10.0.0.1/32") == "10.0.0.1");
    CHECK(again("2001:db8::1") == "2001:db8::/64");
    CHECK(again("2001:DB8:0:0:ffff::1") == "2001:db8::/64");
    CHECK(*parse_network("2001:db8::1") == *parse_network("2001:db8::ffff:ffff:ffff:ffff"));
  }

  TEST_CASE("a network ends where its length says") {
    CHECK(again("10.0.0.0/8") == "10.0.0.0/8");
    CHECK(again("0.0.0.0/0") == "0.0.0.0/0");
    CHECK(again("::/0") == "::/0");
    CHECK(again("2001:db8::/32") == "2001:db8::/32");
    CHECK(parse_network("10.1.2.3")->of_length(8) == *parse_network("10.0.0.0/8"));
    CHECK(parse_network("10.1.2.3")->of_length(0) == *parse_network("0.0.0.0/0"));
    CHECK_FALSE(*parse_network("0.0.0.0/0") == *parse_network("::/0"));
  }

  TEST_CASE("an IPv4 address that was mapped into IPv6 is the IPv4 address") {
    CHECK(again("::ffff:10.0.0.1") == "10.0.0.1");
    CHECK(again("::FFFF:0a00:1") == "10.0.0.1");
    CHECK(again("::ffff:10.0.0.0/104") == "10.0.0.0/8");
    CHECK(again("::ffff:10.0.0.0/95").empty());
  }

  TEST_CASE("an address that asks is the network of its text") {
    for (const char* text : {"10.0.0.1", "2001:db8::1", "::ffff:192.0.2.7", "::1"})
      CHECK(network_of(*parse_address(text)) == *parse_network(text));
  }

  TEST_CASE("anything else is refused") {
    for (const char* text : {"",
                             "/",
                             "/8",
                             "10.0.0.1/",
                             "10.0.0.1/33",
                             "10.0.0.1/8",
                             "10.0.0.1/-1",
                             "10.0.0.0/08",
                             "10.0.0.0/+8",
                             "10.0.0.0/8 ",
                             " 10.0.0.1",
                             "10.0.0",
                             "10.0.0.256",
                             "010.0.0.1",
                             "host",
                             "2001:db8::1/64",
                             "2001:db8::/65",
                             "2001:db8::1%eth0",
                             "[::1]",
                             "::1/128",
                             "10.0.0.1/8/8",
                             "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb"})
      CHECK_MESSAGE(again(text).empty(), text);
    CHECK(again(std::string_view("10.0.0.1\0", 9)).empty());
  }
}

}  // namespace
}  // namespace stampede::door
