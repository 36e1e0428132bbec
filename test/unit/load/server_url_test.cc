#include "load/server_url.h"

#include <doctest/doctest.h>

using namespace stampede;
using namespace stampede::load;

TEST_SUITE("load/server_url") {
  TEST_CASE("an address is taken as it stands and is the host") {
    for (const auto& [url, address, host] :
         {std::tuple{"http://127.0.0.1:8080", "127.0.0.1:8080", "127.0.0.1:8080"},
          std::tuple{"http://127.0.0.1:8080/", "127.0.0.1:8080", "127.0.0.1:8080"},
          std::tuple{"http://127.0.0.1", "127.0.0.1:80", "127.0.0.1:80"},
          std::tuple{"http://[::1]:8080", "[::1]:8080", "[::1]:8080"},
          std::tuple{"http://[::1]", "[::1]:80", "[::1]:80"},
          std::tuple{"http://localhost:9", "127.0.0.1:9", "localhost:9"},
          std::tuple{"unix:/run/s.sock", "unix:/run/s.sock", "localhost"}}) {
      CAPTURE(url);
      const Result<ServerUrl> server = resolve_url(url);
      REQUIRE(bool(server));
      CHECK(net::text_of(server->address) == address);
      CHECK(server->host == host);
    }
  }

  TEST_CASE("a name is looked up and stays the host") {
    const Result<ServerUrl> server =
        resolve_url("http://127.1:8080");  // a name for the resolver alone
    REQUIRE(bool(server));
    CHECK(net::text_of(server->address) == "127.0.0.1:8080");
    CHECK(server->host == "127.1:8080");
    const Result<ServerUrl> none = resolve_url("http://no-such-host.invalid:8080");
    REQUIRE_FALSE(bool(none));
    CHECK(none.error().message.starts_with("'no-such-host.invalid:8080': "));
  }

  TEST_CASE("what is no URL of a server is named") {
    for (const char* url :
         {"", "http://", "127.0.0.1:8080", "https://127.0.0.1", "http://a/b", "http://u@a",
          "http:// a", "http://127.0.0.1:http", "http://a:99999", "unix:", "ftp://a"}) {
      CAPTURE(url);
      CHECK_FALSE(bool(resolve_url(url)));
    }
  }
}
