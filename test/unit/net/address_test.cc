#include "net/address.h"

#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>

using namespace stampede;
using namespace stampede::net;

TEST_SUITE("net/address") {
  TEST_CASE("what is parsed prints as it was written") {
    for (const char* text :
         {"127.0.0.1:8080", "0.0.0.0:0", "255.255.255.255:65535", "[::1]:8080", "[::]:1",
          "[2001:db8::7]:443", "unix:/run/stampede.sock", "unix:relative.sock"}) {
      CAPTURE(text);
      const Result<Address> address = parse_address(text);
      REQUIRE(address);
      CHECK(text_of(*address) == text);
    }
  }

  TEST_CASE("localhost is 127.0.0.1") {
    CHECK(text_of(*parse_address("localhost:80")) == "127.0.0.1:80");
  }

  TEST_CASE("an address with an error is refused with its text and the expected form") {
    for (const std::string text : {"",
                                   ":",
                                   "8080",
                                   "127.0.0.1",
                                   "127.0.0.1:",
                                   "127.0.0.1:65536",
                                   "127.0.0.1:-1",
                                   "127.0.0.1:+80",
                                   "127.0.0.1:8o",
                                   "127.0.0.1: 80",
                                   "127.0.0.256:80",
                                   "127.1:80",
                                   "example.org:80",
                                   ":80",
                                   "::1:80",
                                   "[::1]",
                                   "[::1]80",
                                   "[127.0.0.1]:80",
                                   "[::g]:80",
                                   "[]:80",
                                   "unix:"}) {
      CAPTURE(text);
      const Result<Address> address = parse_address(text);
      REQUIRE_FALSE(address);
      CHECK(address.error().message.starts_with("'" + text + "': "));
      CHECK(address.error().message.ends_with("expected ADDR:PORT, [IPV6]:PORT or unix:PATH"));
    }
    CHECK_FALSE(parse_address(std::string("127.0.0.1\0:80", 13)));
    CHECK_FALSE(parse_address(std::string("unix:/a\0b", 9)));
  }

  TEST_CASE("a Unix path takes up to 107 bytes") {
    CHECK(parse_address("unix:" + std::string(107, 'p')));
    CHECK_FALSE(parse_address("unix:" + std::string(108, 'p')));
  }

  TEST_CASE("only addresses of this machine alone are loopback") {
    for (const char* text : {"127.0.0.1:1", "127.255.0.3:1", "[::1]:1", "unix:/x"})
      CHECK(is_loopback(*parse_address(text)));
    for (const char* text :
         {"0.0.0.0:1", "128.0.0.1:1", "10.0.0.1:1", "[::]:1", "[::2]:1", "[1::1]:1"})
      CHECK_FALSE(is_loopback(*parse_address(text)));
  }

  TEST_CASE("the kernel's form holds the same address") {
    for (const char* text : {"1.2.3.4:5", "[2001:db8::7]:443", "unix:/run/s.sock"}) {
      const Address address = *parse_address(text);
      sockaddr_storage kernel;
      const uint32_t bytes = to_kernel(address, kernel);
      CHECK(from_kernel(kernel, bytes) == address);
    }
  }

  TEST_CASE("an IPv4 client of an IPv6 socket is an IPv4 address") {
    sockaddr_storage kernel;
    const uint32_t bytes = to_kernel(*parse_address("[::ffff:10.1.2.3]:77"), kernel);
    CHECK(from_kernel(kernel, bytes) == *parse_address("10.1.2.3:77"));
  }

  TEST_CASE("the unnamed end of a Unix socket has no path") {
    sockaddr_storage kernel{};
    kernel.ss_family = AF_UNIX;
    CHECK(from_kernel(kernel, sizeof kernel.ss_family).path.empty());
  }
}
