#include "base/printable.h"

#include <doctest/doctest.h>

#include <string>

namespace stampede {
namespace {

TEST_SUITE("base/printable") {
  TEST_CASE("control characters are shown and everything else stays") {
    CHECK(printable("a \\ \"票\" \xff ~") == "a \\ \"票\" \xff ~");
    CHECK(printable("a\nb\r\t\x1b[31m\x7f") == "a\\x0ab\\x0d\\x09\\x1b[31m\\x7f");
    CHECK(printable(std::string("\0", 1)) == "\\x00");
    CHECK(printable("\xc2\x9b"
                    "1m \xc2\xa0 \xc2") == "\\xc2\\x9b1m \xc2\xa0 \xc2");
  }
}

}  // namespace
}  // namespace stampede
