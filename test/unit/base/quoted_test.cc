#include "base/quoted.h"

#include <doctest/doctest.h>

#include <string>

namespace stampede {
namespace {

TEST_SUITE("base/quoted") {
  TEST_CASE("quotes and backslashes and control characters are escaped and everything else stays") {
    std::string json = "[";
    append_quoted("a \"b\" \\ 票 é ~\x7f", json);
    CHECK(json == "[\"a \\\"b\\\" \\\\ 票 é ~\x7f\"");
    json.clear();
    append_quoted(std::string("\0\n\x1f", 3), json);
    CHECK(json == "\"\\u0000\\u000a\\u001f\"");
    json.clear();
    append_quoted("", json);
    CHECK(json == "\"\"");
  }
}

}  // namespace
}  // namespace stampede
