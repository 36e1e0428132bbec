#include "base/time_text.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace stampede {
namespace {

constexpr int64_t kDayMs = 86'400'000;
constexpr int32_t kHourMs = 3'600'000;
constexpr int32_t kMinuteMs = 60'000;

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Walks over a text from the left. After the first surprise it stays failed, so that the caller
// asks once, at the end.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  // Exactly `digits` digits that make a number from `low` to `high`.
  int64_t number(size_t digits, int64_t low, int64_t high) {
    if (rest_.size() < digits) return fail();
    int64_t value = 0;
    for (char c : rest_.substr(0, digits)) {
      if (!is_digit(c)) return fail();
      value = value * 10 + (c - '0');
    }
    rest_.remove_prefix(digits);
    return value < low || value > high ? fail() : value;
  }

  void expect(char c) {
    if (!take(c)) fail();
  }

  bool take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }

  // One digit or more behind the point, cut to milliseconds.
  int64_t fraction_ms() {
    int64_t value = 0;
    size_t digits = 0;
    for (; digits < rest_.size() && is_digit(rest_[digits]); ++digits)
      if (digits < 3) value = value * 10 + (rest_[digits] - '0');
    if (digits == 0) return fail();
    rest_.remove_prefix(digits);
    for (; digits < 3; ++digits) value *= 10;
    return value;
  }

  bool reached_end() const { return !has_failed_ && rest_.empty(); }

 private:
  int64_t fail() {
    has_failed_ = true;
    rest_ = {};
    return 0;
  }

  std::string_view rest_;
  bool has_failed_ = false;
};

constexpr int64_t days_in_month(int64_t year, int64_t month) {
  constexpr int8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  return month == 2 && is_leap ? 29 : days[month - 1];
}

// Days since 1970-01-01 of a date of the Gregorian calendar, years from 0 (Hinnant's
// days_from_civil).
constexpr int64_t days_since_1970(int64_t year, int64_t month, int64_t day) {
  const int64_t y = month <= 2 ? year - 1 + 400 : year + 400;  // + 400: an era is never negative
  const int64_t era = y / 400;
  const int64_t year_of_era = y % 400;
  const int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  const int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return (era - 1) * 146'097 + day_of_era - 719'468;
}
static_assert(days_since_1970(1970, 1, 1) == 0 && days_since_1970(2000, 3, 1) == 11'017);
static_assert((days_since_1970(9999, 12, 31) + 1) * kDayMs - 1 == kTimeTextMax);

struct Date {
  uint32_t year, month, day;
};

// The other way round, for days from 0 (Hinnant's civil_from_days).
constexpr Date date_of(uint32_t days) {
  const uint32_t shifted = days + 719'468;
  const uint32_t era = shifted / 146'097;
  const uint32_t day_of_era = shifted % 146'097;
  const uint32_t year_of_era =
      (day_of_era - day_of_era / 1'460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const uint32_t day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const uint32_t march_month = (5 * day_of_year + 2) / 153;
  const uint32_t month = march_month < 10 ? march_month + 3 : march_month - 9;
  const uint32_t day = day_of_year - (153 * march_month + 2) / 5 + 1;
  return {era * 400 + year_of_era + (month <= 2), month, day};
}

constexpr std::array<char, 200> kPairs = [] {
  std::array<char, 200> pairs{};
  for (int i = 0; i < 100; ++i) {
    pairs[2 * i] = static_cast<char>('0' + i / 10);
    pairs[2 * i + 1] = static_cast<char>('0' + i % 10);
  }
  return pairs;
}();

// Two digits and the mark behind them.
void put(char* out, uint32_t value, char mark) {
  out[0] = kPairs[2 * value];
  out[1] = kPairs[2 * value + 1];
  out[2] = mark;
}

constexpr size_t kDayBytes = 11;  // 2026-12-01T

void render_day(uint32_t days, char* text) {
  const auto [year, month, day] = date_of(days);
  put(text, year / 100, ' ');
  put(text + 2, year % 100, '-');
  put(text + 5, month, '-');
  put(text + 8, day, 'T');
}

// Moments that are rendered one after the other lie in the same day nearly always.
const char* text_of_day(uint32_t days) {
  struct Day {
    uint32_t days = UINT32_MAX;
    char text[kDayBytes];
  };
  thread_local Day last;
  if (last.days != days) {
    render_day(days, last.text);
    last.days = days;
  }
  return last.text;
}

// How far local time is ahead of UTC.
int64_t scan_offset_ms(Scanner& scan) {
  const bool is_ahead = scan.take('+');
  if (!is_ahead && !scan.take('-')) {
    if (!scan.take('z')) scan.expect('Z');
    return 0;
  }
  const int64_t hours = scan.number(2, 0, 23);
  scan.expect(':');
  const int64_t minutes = scan.number(2, 0, 59);
  const int64_t offset_ms = hours * kHourMs + minutes * kMinuteMs;
  return is_ahead ? offset_ms : -offset_ms;
}

// The moment of a date-time by its grammar, also one before 1970 or after 9999. `second_max` is 59, or 60 with leap
// seconds.
std::optional<int64_t> scan_time(std::string_view text, int64_t second_max) {
  Scanner scan(text);
  const int64_t year = scan.number(4, 0, 9999);
  scan.expect('-');
  const int64_t month = scan.number(2, 1, 12);
  scan.expect('-');
  const int64_t day = scan.number(2, 1, 31);
  if (!scan.take('t')) scan.expect('T');
  const int64_t hour = scan.number(2, 0, 23);
  scan.expect(':');
  const int64_t minute = scan.number(2, 0, 59);
  scan.expect(':');
  const int64_t second = scan.number(2, 0, second_max);
  const int64_t fraction_ms = scan.take('.') ? scan.fraction_ms() : 0;
  const int64_t offset_ms = scan_offset_ms(scan);
  if (!scan.reached_end() || day > days_in_month(year, month)) return std::nullopt;
  return days_since_1970(year, month, day) * kDayMs + hour * kHourMs + minute * kMinuteMs +
         second * 1000 + fraction_ms - offset_ms;
}

}  // namespace

std::optional<int64_t> parse_time(std::string_view text) {
  const std::optional<int64_t> wall_ms = scan_time(text, 59);
  return wall_ms && *wall_ms >= 0 && *wall_ms <= kTimeTextMax ? wall_ms : std::nullopt;
}

std::string_view time_fault(std::string_view text) {
  if (scan_time(text, 59)) return "expected a time from 1970 to 9999";
  if (scan_time(text, 60)) return "a leap second (:60) has no number in POSIX time: use second 59";
  return {};
}

void render_time(int64_t wall_ms, std::span<char, kTimeTextBytes> out) {
  const int64_t inside_ms = std::clamp<int64_t>(wall_ms, 0, kTimeTextMax);
  const uint32_t ms_of_day = static_cast<uint32_t>(inside_ms % kDayMs);
  const uint32_t ms = ms_of_day % 1000;
  char* text = out.data();
  std::memcpy(text, text_of_day(static_cast<uint32_t>(inside_ms / kDayMs)), kDayBytes);
  put(text + 11, ms_of_day / kHourMs, ':');
  put(text + 14, ms_of_day / kMinuteMs % 60, ':');
  put(text + 17, ms_of_day / 1000 % 60, '.');
  put(text + 20, ms / 10, static_cast<char>('0' + ms % 10));
  text[23] = 'Z';
}

}  // namespace stampede
