#include "http/own_hosts.h"

#include <doctest/doctest.h>

#include <string>

namespace stampede::http {
namespace {

const OwnHosts kLoopback = {
    .names = {"admin.example"}, .address = "127.0.0.1", .is_loopback = true};

bool is_foreign(const Request& request, const OwnHosts& own = kLoopback) {
  return foreign_reason(request, own) != nullptr;
}

bool is_foreign_host(std::string_view host, const OwnHosts& own = kLoopback) {
  return is_foreign({.method = Method::get, .host = host}, own);
}

bool is_foreign_origin(std::string_view origin) {
  return is_foreign({.method = Method::get, .host = "127.0.0.1:8081", .origin = origin});
}

TEST_SUITE_BEGIN("http/own_hosts");

TEST_CASE("a host is an address of the listener or a name that it was given") {
  for (const char* host : {"", "127.0.0.1", "127.0.0.1:8081", "127.0.0.1:9", "localhost:8081",
                           "LOCALHOST", "admin.example", "Admin.Example:443"}) {
    CAPTURE(host);
    CHECK(!is_foreign_host(host));
  }
  for (const char* host :
       {"evil.example", "evil.example:8081", "127.0.0.1.evil.example", "localhost.evil.example",
        "evil.admin.example", "10.0.0.1", "[::1]", "127.0.0.2"}) {
    CAPTURE(host);
    CHECK(is_foreign_host(host));
  }
}

TEST_CASE("a change without a host is foreign and a question without one is not") {
  CHECK(is_foreign({.method = Method::post}));
  CHECK(is_foreign({.method = Method::put}));
  CHECK_FALSE(is_foreign({.method = Method::get}));
  CHECK_FALSE(is_foreign({.method = Method::post, .host = "127.0.0.1:8081"}));
}

TEST_CASE("a listener on all addresses has each of them but no name") {
  for (const char* address : {"0.0.0.0", "[::]"}) {
    const OwnHosts own = {.address = address, .has_any_address = true};
    CHECK(!is_foreign_host("10.0.0.1:8081", own));
    CHECK(!is_foreign_host("[2001:db8::1]", own));
    CHECK(!is_foreign_host("localhost", own));
    CHECK(is_foreign_host("evil.example", own));
    CHECK(is_foreign_host("1.2.3.4.example", own));
  }
}

TEST_CASE("a listener of one address answers to that one alone") {
  const OwnHosts own = {.address = "[2001:db8::1]"};
  CHECK(!is_foreign_host("[2001:DB8::1]:8081", own));
  CHECK(is_foreign_host("[2001:db8::2]", own));
  CHECK(is_foreign_host("localhost", own));
}

TEST_CASE("a client of a Unix socket may call it as it likes") {
  const OwnHosts own = {.is_unix = true};
  CHECK(!is_foreign_host("localhost", own));
  CHECK(!is_foreign_host("evil.example", own));
}

TEST_CASE("an origin is the one that was asked or a name that the listener was given") {
  for (const char* origin :
       {"", "http://127.0.0.1:8081", "https://admin.example", "http://admin.example:8443"}) {
    CAPTURE(origin);
    CHECK(!is_foreign_origin(origin));
  }
  for (const char* origin : {"null", "http://evil.example", "http://127.0.0.1",
                             "http://127.0.0.1:80", "http://localhost:8081", "http://",
                             "127.0.0.1:8081", "http://admin.example.evil.example"}) {
    CAPTURE(origin);
    CHECK(is_foreign_origin(origin));
  }
  CHECK(is_foreign({.method = Method::get, .origin = "http://"}));  // nor is none the same as none
}

TEST_CASE("a change has no body or one that says that it is JSON") {
  Request request{.method = Method::post, .host = "127.0.0.1"};
  CHECK(!is_foreign(request));
  request.body = "{}";
  CHECK(is_foreign(request));  // a script can send a body without a type
  request.content_type = "application/json; charset=utf-8";
  CHECK(!is_foreign(request));
  for (const char* type :
       {"text/plain", "application/x-www-form-urlencoded", "multipart/form-data"}) {
    request.content_type = type;
    for (const Method method : {Method::post, Method::put, Method::del, Method::other}) {
      request.method = method;
      CHECK(is_foreign(request));
    }
    request.body = "";
    CHECK(is_foreign(request));
    request.method = Method::get;
    CHECK(!is_foreign(request));
    request.method = Method::post;
    request.body = "{}";
  }
}

TEST_SUITE_END();

}  // namespace
}  // namespace stampede::http
