#include "door/limits.h"

#include <doctest/doctest.h>

namespace stampede::door {
namespace {

TEST_SUITE("door/limits") {
  TEST_CASE("a rate is a number of requests in a window") {
    CHECK(parse_rate("20/1s") == Rate{20, 1'000});
    CHECK(parse_rate("100/500ms") == Rate{100, 500});
    CHECK(parse_rate("300/5m") == Rate{300, 300'000});
    CHECK(parse_rate("1000/1h") == Rate{1'000, 3'600'000});
    CHECK(parse_rate("1000000000/24h") == Rate{1'000'000'000, 86'400'000});
    CHECK(parse_rate("0") == Rate{});
  }

  TEST_CASE("what is no rate is not taken for one") {
    for (const char* text : {"",
                             "20",
                             "20/",
                             "/1s",
                             "20/s",
                             "0/1s",
                             "20/0s",
                             "-1/1s",
                             "+1/1s",
                             "020/1s",
                             "20/01s",
                             "20/1",
                             "20/1d",
                             "20/1S",
                             "20/1ss",
                             "20 /1s",
                             "20/ 1s",
                             "20/1s ",
                             "1000000001/1s",
                             "99999999999/1s",
                             "20/25h",
                             "20/86400001ms",
                             "20/9999999999ms",
                             "1.5/1s",
                             "20/1.5s"})
      CHECK_MESSAGE(!parse_rate(text), text);
  }

  TEST_CASE("the text of a rate reads as the same rate") {
    for (const char* text : {"20/1s", "100/500ms", "300/5m", "1000/1h", "7/90s", "0"})
      CHECK(text_of(*parse_rate(text)) == text);
    CHECK(text_of(Rate{5, 60'000}) == "5/1m");
  }

  TEST_CASE(
      "the rate of orders may be raised to twice what the start was told and never be lifted") {
    const OrderRate flag{.per_second = 100};
    CHECK(may_raise(flag, {.per_second = 1}));
    CHECK(may_raise(flag, {.per_second = 200}));
    CHECK_FALSE(may_raise(flag, {.per_second = 201}));
    CHECK_FALSE(may_raise(flag, {.per_second = 0}));
    CHECK(may_raise(flag, {.is_automatic = true}));
    CHECK(may_raise({.per_second = UINT32_MAX}, {.per_second = UINT32_MAX}));
    CHECK(may_raise({}, {.per_second = 1'000'000}));
    CHECK(may_raise({}, {}));
    CHECK(may_raise({.is_automatic = true}, {.per_second = 5}));
    CHECK_FALSE(may_raise({.is_automatic = true}, {}));
  }

  TEST_CASE("a level of degradation has one name") {
    for (const Degrade level :
         {Degrade::none, Degrade::no_new_users, Degrade::no_polls, Degrade::static_only})
      CHECK(degrade_of(name_of(level)) == level);
    CHECK(name_of(Degrade::static_only) == "static");
    CHECK_FALSE(degrade_of("None"));
    CHECK_FALSE(degrade_of(""));
  }
}

}  // namespace
}  // namespace stampede::door
