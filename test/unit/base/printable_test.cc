#include "base/printable.h"

#include <doctest/doctest.h>

#include <string>

namespace stampede {
namespace {

TEST_SUITE("base/printable") {
  TEST_CASE("control characters are shown and everything else stays") {
    CHECK(printable("a \\ \"票\" é 😀 ~") == "a \\ \"票\" é 😀 ~");
    CHECK(printable("a\nb\r\t\x1b[31m\x7f") == "a\\x0ab\\x0d\\x09\\x1b[31m\\x7f");
    CHECK(printable(std::string("\0", 1)) == "\\x00");
    CHECK(printable("\xc2\x9b"
                    "1m \xc2\xa0 \xc2") == "\\xc2\\x9b1m \xc2\xa0 \\xc2");
  }

  TEST_CASE("bytes that are no UTF-8 are shown and those beside them stay") {
    // Cut, lone, overlong, a surrogate, beyond the last character, and what a UTF-16 editor writes.
    for (const auto& [text, shown] : {
             std::pair{"票\xe7\xa5", "票\\xe7\\xa5"},
             {"\x80 \xbf", "\\x80 \\xbf"},
             {"\xc0\xaf", "\\xc0\\xaf"},
             {"\xe0\x9f\xbf", "\\xe0\\x9f\\xbf"},
             {"\xed\xa0\x80", "\\xed\\xa0\\x80"},
             {"\xf0\x8f\xbf\xbf", "\\xf0\\x8f\\xbf\\xbf"},
             {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},
             {"\xf5\xff\xfeu", "\\xf5\\xff\\xfeu"},
         })
      CHECK(printable(text) == shown);
  }

  TEST_CASE("further characters are shown where a reader means something by them") {
    CHECK(printable("a\"b\\c é", "\"\\") == "a\\x22b\\x5cc é");
    CHECK(printable_ascii("a b~ é\n") == "a b~ \\xc3\\xa9\\x0a");
  }
}

}  // namespace
}  // namespace stampede
