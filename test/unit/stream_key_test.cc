#include "stream_key.h"

#include <doctest/doctest.h>

namespace stampede {
namespace {

TEST_SUITE("stream_key") {
  TEST_CASE("the name of a stream reads back") {
    for (const StreamKey key : {StreamKey{3, 1, 0}, StreamKey{1023, 4'000'000'000, 255}})
      CHECK(parse_stream_name(stream_name(key)) == key);
    CHECK(stream_name({3, 1, 0}) == "3.1.0");
  }

  TEST_CASE("a text that no stream is named is refused") {
    for (const char* text :
         {"", "withdrawn", "3", "3.1", "3.1.", "3.1.0.", "3.1.0.2", "03.1.0", "3.1.00", "-3.1.0",
          "+3.1.0", "3 .1.0", "3.1.0 ", "3.1.4294967296", "a.b.c", ".1.0"}) {
      CAPTURE(text);
      CHECK_FALSE(parse_stream_name(text));
    }
  }
}

}  // namespace
}  // namespace stampede
