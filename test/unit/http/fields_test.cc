#include "http/fields.h"

#include <doctest/doctest.h>

#include <array>
#include <string>

namespace stampede::http {
namespace {

// As the parser gives it, so that lines are those that it accepts.
Request parsed(const std::string& head) {
  static std::array<char, bounds::body_bytes_max> scratch;
  const Parsed result = parse(head, scratch);
  REQUIRE(result.status == ParseStatus::complete);
  return result.request;
}

bool has(const std::string& lines, std::string_view tag = "\"tag\"") {
  const std::string head = "GET / HTTP/1.1\r\nHost: a\r\n" + lines + "\r\n";
  return is_unchanged(parsed(head), tag);
}

bool matches(const std::string& value) {
  return has("If-None-Match: " + value + "\r\n");
}

TEST_SUITE_BEGIN("http/fields");

TEST_CASE("the only line of a name is found in any case and a second one is told") {
  const auto line = [](const std::string& lines) {
    const std::string head = "GET / HTTP/1.1\r\nHost: a\r\n" + lines + "\r\n";
    const OnlyLine found = only_line(parsed(head), "x-real-ip");
    return std::string(found.is_repeated               ? "twice"
                       : found.value.data() == nullptr ? "none"
                                                       : found.value);
  };
  CHECK(line("") == "none");
  CHECK(line("X-Real-IP: 192.0.2.1\r\n") == "192.0.2.1");
  CHECK(line("x-real-ip:\t192.0.2.1 \r\n") == "192.0.2.1");
  CHECK(line("X-REAL-IP:\r\n") == "");
  CHECK(line("X-Real-IPs: 1\r\nX-Real-I: 2\r\nX_Real_IP: 3\r\n") == "none");
  CHECK(line("X-Real-IP: 1\r\nAccept: 2\r\nx-real-ip: 1\r\n") == "twice");
  CHECK(line("X-Real-IP:\r\nX-Real-IP: 1\r\n") == "twice");
  CHECK(line("X: Real-IP: 1\r\nX-Real: IP: 2\r\nX:x-real-ip: 3\r\n") == "none");
  CHECK(line("A: x-real-ip: 1\r\nX-Real-IP:x-real-ip:2\r\n") == "x-real-ip:2");
}

TEST_CASE("a bearer token follows its scheme in any case and any number of spaces") {
  CHECK(bearer_token("Bearer v1.a") == "v1.a");
  CHECK(bearer_token("bearer v1.a") == "v1.a");
  CHECK(bearer_token("BEARER    v1.a") == "v1.a");
  for (const char* value : {"", "Bearer", "Bearer ", "Bearer\tv1.a", "Bearerv1.a", "Basic v1.a",
                            "Bearer, v1.a", " Bearer v1.a", "v1.a", "Beare"}) {
    CAPTURE(value);
    CHECK(bearer_token(value).empty());
  }
}

TEST_CASE("an entity tag is found wherever it stands in the lists of all lines") {
  CHECK(matches("\"tag\""));
  CHECK(matches("W/\"tag\""));
  CHECK(matches("*"));
  CHECK(matches("\"a\",\"tag\""));
  CHECK(matches(", ,\"a\" \t,\t W/\"tag\" ,"));
  CHECK(matches("\"a,b\", \"tag\""));
  CHECK(matches("\"\", \"tag\""));
  CHECK(has("If-None-Match: \"a\"\r\nX: y\r\nif-none-match:\"tag\"\r\n"));
  CHECK(has("If-None-Match:\r\nIf-None-Match: \"tag\"\r\n"));
  CHECK(has("If-None-Match: bad\r\nIf-None-Match: \"tag\"\r\n"));
}

TEST_CASE("another tag or a malformed one gives a full answer") {
  for (const char* value :
       {"", "\"tags\"", "tag", "\"a", "\"TAG\"", "w/\"tag\"", "\"x,\"tag\"\"", "\"a\" \"tag\"",
        "\"a\"\"tag\"", "W/ \"tag\"", "**", "*, \"a\"", "\"a\",*", ",", "W/", "\""}) {
    CAPTURE(value);
    CHECK(!matches(value));
  }
  CHECK(!has(""));
  CHECK(!has("X-If-None-Match: \"tag\"\r\nIf-Match: \"tag\"\r\n"));
}

TEST_CASE("a media type is JSON whatever its case and parameters") {
  for (const char* type : {"application/json", "Application/JSON", "application/json;charset=utf-8",
                           "application/json ; a=b"})
    CHECK(is_json(type));
  for (const char* type : {"", "text/plain", "application/jsonx", "application/json, text/plain",
                           "application/x-www-form-urlencoded", ";"})
    CHECK(!is_json(type));
}

TEST_SUITE_END();

}  // namespace
}  // namespace stampede::http
