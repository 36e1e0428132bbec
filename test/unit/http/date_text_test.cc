#include "http/date_text.h"

#include <doctest/doctest.h>
#include <time.h>

#include <random>
#include <string>

#include "base/clock.h"

namespace stampede::http {
namespace {

std::string date_at(int64_t second) {
  DateText date;
  date.refresh(second * kSecond);
  return std::string(date.view());
}

TEST_SUITE_BEGIN("http/date_text");

TEST_CASE("the date is an IMF-fixdate") {
  CHECK(date_at(784'111'777) == "Sun, 06 Nov 1994 08:49:37 GMT");
  CHECK(date_at(0) == "Thu, 01 Jan 1970 00:00:00 GMT");
  CHECK(date_at(951'782'400) == "Tue, 29 Feb 2000 00:00:00 GMT");
}

TEST_CASE("the date agrees with the C library") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937_64 chance(seed);
  for (int i = 0; i < 2000; ++i) {
    const auto second = static_cast<time_t>(chance() % 9'000'000'000);
    tm parts;
    gmtime_r(&second, &parts);
    char expected[64];
    strftime(expected, sizeof expected, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    CHECK(date_at(second) == expected);
  }
}

TEST_CASE("the date changes with the second and not before") {
  DateText date;
  date.refresh(5 * kSecond + 999 * kMillisecond);
  CHECK(date.view() == "Thu, 01 Jan 1970 00:00:05 GMT");
  CHECK(date.wall_ms() == 5999);
  date.refresh(6 * kSecond);
  CHECK(date.view() == "Thu, 01 Jan 1970 00:00:06 GMT");
  date.refresh(5 * kSecond);
  CHECK(date.view() == "Thu, 01 Jan 1970 00:00:05 GMT");
}

TEST_CASE("a clock before 1970 shows its first second") {
  DateText date;
  date.refresh(-kSecond);
  CHECK(date.view() == "Thu, 01 Jan 1970 00:00:00 GMT");
  date.refresh(INT64_MAX);
  CHECK(date.view() == "Fri, 11 Apr 2262 23:47:16 GMT");
}

TEST_SUITE_END();

}  // namespace
}  // namespace stampede::http
