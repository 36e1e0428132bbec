#include "http/date_text.h"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "base/clock.h"
#include "base/time_text.h"

namespace stampede::http {
namespace {

void put_two_digits(char* out, unsigned value) {
  out[0] = static_cast<char>('0' + value / 10);
  out[1] = static_cast<char>('0' + value % 10);
}

}  // namespace

void DateText::refresh(int64_t wall_ns) {
  wall_ms_ = std::clamp<int64_t>(wall_ns / kMillisecond, 0, kTimeTextMax);
  const int64_t second = wall_ms_ / 1000;
  if (second == second_) return;
  second_ = second;

  const auto day = std::chrono::sys_days{std::chrono::days{second / 86'400}};
  const std::chrono::year_month_day date{day};
  const auto year = static_cast<unsigned>(static_cast<int>(date.year()));
  const auto second_of_day = static_cast<unsigned>(second % 86'400);
  char* const text = text_.data();
  std::memcpy(text, "Day, 00 Mon 0000 00:00:00 GMT", text_.size());
  std::memcpy(text, &"SunMonTueWedThuFriSat"[3 * std::chrono::weekday{day}.c_encoding()], 3);
  put_two_digits(text + 5, static_cast<unsigned>(date.day()));
  std::memcpy(
      text + 8,
      &"JanFebMarAprMayJunJulAugSepOctNovDec"[3 * (static_cast<unsigned>(date.month()) - 1)], 3);
  put_two_digits(text + 12, year / 100);
  put_two_digits(text + 14, year % 100);
  put_two_digits(text + 17, second_of_day / 3600);
  put_two_digits(text + 20, second_of_day / 60 % 60);
  put_two_digits(text + 23, second_of_day % 60);
}

}  // namespace stampede::http
