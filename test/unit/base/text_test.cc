#include "base/text.h"

#include <doctest/doctest.h>

#include <string>
#include <type_traits>

#include "death.h"

namespace stampede {
namespace {

TEST_SUITE("base/text") {
  TEST_CASE("a text holds up to its bound and keeps every byte") {
    const std::string_view bytes("a\0b\xff", 4);
    CHECK(Text<4>(bytes).view() == bytes);
    CHECK(Text<64>(std::string(64, 'u')).view() == std::string(64, 'u'));
    CHECK(Text<4>().empty());
    CHECK(Text<4>() == Text<4>(std::string_view()));
  }

  TEST_CASE("a text longer than its bound is a bug") {
    CHECK(death_of([] { Text<4>(std::string_view("abcde")); }).signal == SIGABRT);
  }

  TEST_CASE("texts are equal by what they hold and not by what their room held before") {
    Text<8> text(std::string_view("abcdefgh"));
    text = Text<8>(std::string_view("ab"));
    CHECK(text == Text<8>(std::string_view("ab")));
    CHECK_FALSE(text == Text<8>(std::string_view("abc")));
  }

  TEST_CASE("a text crosses between shards as plain bytes") {
    static_assert(std::is_trivially_copyable_v<Text<64>>);
    static_assert(sizeof(Text<64>) == 65);
  }
}

}  // namespace
}  // namespace stampede
