#include "http/writer.h"

#include <doctest/doctest.h>
#include <simdjson.h>

#include <memory>
#include <string>

namespace stampede::http {
namespace {

std::string json_of(std::string_view text) {
  std::string out(quoted_bytes_max(text.size()), '?');
  Writer writer(out);
  writer.quoted(text);
  CHECK(!writer.is_full());
  return std::string(writer.view());
}

TEST_SUITE_BEGIN("http/writer");

TEST_CASE("a text is escaped as JSON demands") {
  CHECK(json_of("") == R"("")");
  CHECK(json_of("ticket") == R"("ticket")");
  CHECK(json_of(R"(a"b\c)") == R"("a\"b\\c")");
  CHECK(json_of("Beijing–Shanghai") == "\"Beijing–Shanghai\"");
  CHECK(json_of(std::string_view("\0\n\x1f\x7f", 4)) == "\"\\u0000\\u000a\\u001f\x7f\"");
}

TEST_CASE("what was escaped reads back as it was") {
  simdjson::dom::parser parser;
  for (int first = 0; first < 128; ++first) {
    const std::string text = {static_cast<char>(first), 'x', static_cast<char>(127 - first)};
    const std::string_view back = parser.parse(simdjson::padded_string(json_of(text)));
    CHECK(back == text);
  }
}

TEST_CASE("the bound of a quoted text is reached by control characters") {
  const std::string text(64, '\x01');
  CHECK(json_of(text).size() == quoted_bytes_max(text.size()));
}

TEST_CASE("numbers and ids and times are written") {
  char out[200];
  Writer writer(out);
  writer.number(INT64_MIN).raw(" ").number(UINT64_MAX).raw(" ").number(0u).raw(" ");
  writer.quoted_id({0x0a1b2c3d4e5f6789}).quoted_id({1}).quoted_time(1'796'090'400'123);
  CHECK(writer.view() ==
        "-9223372036854775808 18446744073709551615 0 "
        "\"0a1b2c3d4e5f6789\"\"0000000000000001\"\"2026-12-01T02:00:00.123Z\"");
}

TEST_CASE("what does not fit is dropped and so is all that follows") {
  for (size_t size = 0; size < 40; ++size) {
    const auto out =
        std::make_unique<char[]>(size);  // of the exact size, for the address sanitizer
    Writer writer({out.get(), size});
    writer.raw("0123456789").quoted_id({7}).number(12345).raw("");
    CHECK(writer.is_full() == (size < 33));
    CHECK(writer.size() == (size < 10 ? 0 : size < 28 ? 10 : size < 33 ? 28 : 33));
  }
}

TEST_SUITE_END();

}  // namespace
}  // namespace stampede::http
