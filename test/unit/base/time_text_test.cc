#include "base/time_text.h"

#include <doctest/doctest.h>
#include <time.h>

#include <array>
#include <random>
#include <string>

namespace stampede {
namespace {

std::string rendered(int64_t wall_ms) {
  std::array<char, kTimeTextBytes> text;
  render_time(wall_ms, text);
  return {text.data(), text.size()};
}

// What libc says about the same moment, which never saw our arithmetic.
std::string rendered_by_libc(int64_t wall_ms) {
  const time_t seconds = wall_ms / 1000;
  tm parts;
  gmtime_r(&seconds, &parts);
  char date[32], text[48];
  strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &parts);
  snprintf(text, sizeof text, "%s.%03dZ", date, static_cast<int>(wall_ms % 1000));
  return text;
}

TEST_SUITE("base/time_text") {
  TEST_CASE("a moment is written as date and time of UTC with milliseconds") {
    CHECK(rendered(0) == "1970-01-01T00:00:00.000Z");
    CHECK(rendered(1'796'090'400'123) == "2026-12-01T02:00:00.123Z");
    CHECK(rendered(951'782'399'999) == "2000-02-28T23:59:59.999Z");
    CHECK(rendered(951'782'400'000) == "2000-02-29T00:00:00.000Z");
    CHECK(rendered(4'107'542'400'000) == "2100-03-01T00:00:00.000Z");
  }

  TEST_CASE("a moment outside the years 1970 to 9999 is written as the nearest inside") {
    CHECK(rendered(-1) == "1970-01-01T00:00:00.000Z");
    CHECK(rendered(INT64_MIN) == "1970-01-01T00:00:00.000Z");
    CHECK(rendered(kTimeTextMax) == "9999-12-31T23:59:59.999Z");
    CHECK(rendered(kTimeTextMax + 1) == "9999-12-31T23:59:59.999Z");
    CHECK(rendered(INT64_MAX) == "9999-12-31T23:59:59.999Z");
  }

  TEST_CASE("every day of four centuries is the day that libc says") {
    constexpr int64_t kDayMs = 86'400'000;
    for (int64_t day = 0; day < 400 * 366; ++day) {
      const int64_t wall_ms = day * kDayMs + day % kDayMs;
      REQUIRE(rendered(wall_ms) == rendered_by_libc(wall_ms));
    }
  }

  TEST_CASE("what was written is read back as the same moment") {
    const unsigned seed = std::random_device{}();
    INFO("seed " << seed);
    std::mt19937_64 random(seed);
    for (int i = 0; i < 20'000; ++i) {
      const int64_t wall_ms = static_cast<int64_t>(random() % (kTimeTextMax + 1));
      REQUIRE(parse_time(rendered(wall_ms)) == wall_ms);
    }
  }

  TEST_CASE("an offset is taken off and any length of fraction is cut to milliseconds") {
    CHECK(parse_time("2026-12-01T02:00:00Z") == 1'796'090'400'000);
    CHECK(parse_time("2026-12-01T10:00:00+08:00") == 1'796'090'400'000);
    CHECK(parse_time("2026-11-30T20:30:00-05:30") == 1'796'090'400'000);
    CHECK(parse_time("2026-12-01T02:00:00-00:00") == 1'796'090'400'000);
    CHECK(parse_time("2026-12-01t02:00:00z") == 1'796'090'400'000);
    CHECK(parse_time("2026-12-01T02:00:00.1Z") == 1'796'090'400'100);
    CHECK(parse_time("2026-12-01T02:00:00.12+00:00") == 1'796'090'400'120);
    CHECK(parse_time("2026-12-01T02:00:00.123999999999Z") == 1'796'090'400'123);
  }

  TEST_CASE("years are leap years as the calendar says") {
    CHECK(parse_time("2024-02-29T00:00:00Z"));
    CHECK(parse_time("2000-02-29T00:00:00Z"));
    CHECK_FALSE(parse_time("2026-02-29T00:00:00Z"));
    CHECK_FALSE(parse_time("2100-02-29T00:00:00Z"));
    CHECK_FALSE(parse_time("2024-02-30T00:00:00Z"));
    CHECK_FALSE(parse_time("2024-04-31T00:00:00Z"));
  }

  TEST_CASE(
      "a moment before 1970 or after 9999 is refused even when only the offset takes it there") {
    CHECK(parse_time("1970-01-01T00:00:00Z") == 0);
    CHECK(parse_time("1970-01-01T01:00:00+01:00") == 0);
    CHECK(parse_time("9999-12-31T23:59:59.999Z") == kTimeTextMax);
    CHECK_FALSE(parse_time("1969-12-31T23:59:59.999Z"));
    CHECK_FALSE(parse_time("1970-01-01T00:59:59+01:00"));
    CHECK_FALSE(parse_time("9999-12-31T23:59:59-00:01"));
    CHECK_FALSE(parse_time("0000-01-01T00:00:00Z"));
  }

  TEST_CASE("what is a time but none that can be had is told from what is no time") {
    CHECK(time_fault("2016-12-31T23:59:60Z") ==
          "a leap second (:60) has no number in POSIX time: use second 59");
    for (const char* text : {"1969-12-31T23:59:59Z", "1970-01-01T00:59:59+01:00",
                             "0000-01-01T00:00:00Z", "9999-12-31T23:59:59-00:01"})
      CHECK(time_fault(text) == "expected a time from 1970 to 9999");
    for (const char* text : {"", "2026-12-01", "2016-12-31T23:59:61Z", "2026-02-30T00:00:60Z"})
      CHECK(time_fault(text).empty());
  }

  TEST_CASE("whatever is not exactly RFC 3339 is refused") {
    for (const char* text : {"",
                             "2026",
                             "2026-12-01",
                             "2026-12-01T02:00:00",
                             "2026-12-01T02:00Z",
                             "2026-12-01 02:00:00Z",
                             "2026-12-01T02:00:00.Z",
                             "2026-12-01T02:00:00,5Z",
                             "2026-12-01T02:00:00+8:00",
                             "2026-12-01T02:00:00+0800",
                             "2026-12-01T02:00:00+08",
                             "2026-12-01T02:00:00Z ",
                             " 2026-12-01T02:00:00Z",
                             "2026-12-01T02:00:00ZZ",
                             "2026-12-01T02:00:00+08:00Z",
                             "+2026-12-01T02:00:00Z",
                             "-026-12-01T02:00:00Z",
                             "26-12-01T02:00:00Z",
                             "2026-1-01T02:00:00Z",
                             "2026-12-1T02:00:00Z",
                             "2026/12/01T02:00:00Z",
                             "2026-00-01T02:00:00Z",
                             "2026-13-01T02:00:00Z",
                             "2026-12-00T02:00:00Z",
                             "2026-12-32T02:00:00Z",
                             "2026-12-01T24:00:00Z",
                             "2026-12-01T02:60:00Z",
                             "2026-12-01T02:00:60Z",
                             "2026-12-01T23:59:60Z",
                             "2026-12-01T02:00:00+24:00",
                             "2026-12-01T02:00:00+08:60",
                             "2026-12-01T02:00:-1Z",
                             "1796090400",
                             "0x26-12-01T02:00:00Z"}) {
      CAPTURE(text);
      CHECK_FALSE(parse_time(text));
    }
    CHECK_FALSE(parse_time(std::string_view("2026-12-01T02:00:00Z\0", 21)));
  }

  TEST_CASE("no proper beginning of a time is a time") {
    const std::string text = "2026-12-01T10:00:00.123+08:00";
    REQUIRE(parse_time(text));
    for (size_t size = 0; size < text.size(); ++size) CHECK_FALSE(parse_time(text.substr(0, size)));
  }
}

}  // namespace
}  // namespace stampede
