#include "http/parser.h"

#include <doctest/doctest.h>

#include <array>
#include <memory>
#include <string>

#include "parser_cases.h"

namespace stampede::http {
namespace {

std::array<char, bounds::body_bytes_max> scratch;

Parsed parse_text(std::string_view text) {
  return parse(text, scratch);
}

bool is_refused(const ParserCase& parser_case) {
  return parse_text(parser_case.input).status == ParseStatus::bad;
}

TEST_SUITE_BEGIN("http/parser");

TEST_CASE("each request of the table is read as the table says") {
  for (const ParserCase& parser_case : parser_cases()) {
    CAPTURE(parser_case.name);
    const Parsed parsed = parse_text(parser_case.input);
    CHECK(describe(parsed) == parser_case.expected);
    if (parsed.status == ParseStatus::complete) CHECK(parsed.consumed == parser_case.input.size());
  }
}

// With the case above this is every split: parse() keeps nothing, so only the length of the input
// can matter.
TEST_CASE("a request cut at any byte is unfinished and neither refused nor complete") {
  for (const ParserCase& parser_case : parser_cases()) {
    CAPTURE(parser_case.name);
    for (size_t size = 0; size < parser_case.input.size(); ++size) {
      // A buffer of the exact size, so that the address sanitizer sees a read beyond it.
      const auto cut = std::make_unique<char[]>(size);
      parser_case.input.copy(cut.get(), size);
      if (parse({cut.get(), size}, scratch).status == ParseStatus::need_more) continue;
      CAPTURE(size);
      FAIL_CHECK(describe(parse({cut.get(), size}, scratch)));
    }
  }
}

TEST_CASE("a request behind another gets the answer that it would get alone") {
  const std::string probe = "GET /probe?x HTTP/1.1\r\nHost: p\r\nX-User-Id: probe\r\n\r\n";
  const std::string probe_alone = describe(parse_text(probe));
  REQUIRE(probe_alone == "GET /probe?x body=[] keep-alive host=[p] user=[probe]");
  for (const ParserCase& parser_case : parser_cases()) {
    CAPTURE(parser_case.name);
    const std::string both = parser_case.input + probe;
    const Parsed first = parse_text(both);
    CHECK(describe(first) == parser_case.expected);
    if (first.status != ParseStatus::complete) continue;
    CHECK(describe(parse_text(std::string_view(both).substr(first.consumed))) == probe_alone);
  }
}

TEST_CASE("nothing that follows a refusal changes it") {
  for (const ParserCase& parser_case : parser_cases()) {
    if (!is_refused(parser_case)) continue;
    CAPTURE(parser_case.name);
    CHECK(describe(parse_text(parser_case.input + std::string(40'000, 'x'))) ==
          parser_case.expected);
    CHECK(describe(parse_text(parser_case.input + std::string(100, '\0'))) == parser_case.expected);
  }
}

// Tab, LF and CR have cases of their own in the table.
TEST_CASE("each control byte is refused in each place of a head") {
  const std::string head = "GET /a?b HTTP/1.1\r\nHost: a\r\nX-Name: value of it\r\n\r\n";
  for (int byte = 0; byte < 128; ++byte) {
    if ((byte >= 0x20 && byte < 0x7f) || byte == '\t' || byte == '\n' || byte == '\r') continue;
    for (size_t place = 0; place < head.size(); ++place) {
      std::string damaged = head;
      damaged[place] = static_cast<char>(byte);
      CAPTURE(byte);
      CAPTURE(place);
      CHECK(parse_text(damaged).status == ParseStatus::bad);
    }
  }
}

// Names that are known are compared by whole words, in which CR and hyphen differ by the bit of the letters' case.
TEST_CASE("a CR is no hyphen of a known name") {
  const std::string head = "POST / HTTP/1.1\r\nHost: a\r\n";
  for (const std::string name :
       {"Content-Length", "X-User-Id", "Content-Type", "Idempotency-Key"}) {
    const std::string rest = name + ": 1\r\nX-Other: what follows is long enough\r\n\r\n1";
    REQUIRE(parse_text(head + rest).status == ParseStatus::complete);
    std::string damaged = rest;
    damaged[name.find('-')] = '\r';
    CAPTURE(name);
    CHECK(parse_text(head + damaged).status == ParseStatus::bad);
  }
}

// Its refusal has no content (RFC 9110 9.3.2).
TEST_CASE("a HEAD that is no good is known for one") {
  for (const std::string line : {"Expect: x", "Content-Length: 5000", "No Name", "Host: b"}) {
    CAPTURE(line);
    const Parsed parsed = parse_text("HEAD / HTTP/1.1\r\nHost: a\r\n" + line + "\r\n\r\n");
    CHECK(parsed.status == ParseStatus::bad);
    CHECK(parsed.request.method == Method::head);
  }
  CHECK(parse_text("BREW / HTTP/1.1\r\nHost: a\r\n\r\n").request.method == Method::other);
}

TEST_CASE("a client that waits for 100 continue is heard until its body arrives") {
  const std::string head =
      "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
  CHECK(describe(parse_text(head.substr(0, head.size() - 1))) == "more head");
  CHECK(describe(parse_text(head)) == "more body continue");
  CHECK(describe(parse_text(head + "o")) == "more body");
  CHECK(describe(parse_text(head + "ok")) == "POST / body=[ok] keep-alive");
  const std::string empty =
      "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n";
  CHECK(describe(parse_text(empty)) == "POST / body=[] keep-alive");
  const std::string old = "POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
  CHECK(describe(parse_text(old)) == "more body");
}

TEST_CASE("a missing body is told from a missing head") {
  const std::string head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  CHECK(describe(parse_text(head.substr(0, head.size() - 1))) == "more head");
  CHECK(describe(parse_text(head)) == "more body");
  CHECK(describe(parse_text(head + "1\r\nx")) == "more body");
}

TEST_CASE("views point into the input or into the scratch") {
  const std::string chunked =
      "POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n";
  CHECK(parse_text(chunked).request.body.data() == scratch.data());
  const std::string sized = "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab";
  const Parsed parsed = parse_text(sized);
  CHECK(parsed.request.body.data() == sized.data() + sized.size() - 2);
  CHECK(parsed.request.path.data() == sized.data() + 5);
}

TEST_SUITE_END();

}  // namespace
}  // namespace stampede::http
