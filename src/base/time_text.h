// Times as text: RFC 3339 on both sides, always with respect to UTC.
//
// libc's strftime and timegm look at the locale and the timezone database and take about a
// microsecond; an order shows two times, so rendering is plain arithmetic on the calendar (Howard
// Hinnant, "chrono-Compatible Low-Level Date Algorithms") and digits in pairs: some 20 ns.
//
// Pure functions: any thread, no allocation.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace stampede {

constexpr size_t kTimeTextBytes = 24;  // 2026-12-01T02:00:00.123Z

// The last millisecond of a year with four digits: 9999-12-31T23:59:59.999Z.
constexpr int64_t kTimeTextMax = 253'402'300'799'999;

// Milliseconds since 1970-01-01 UTC of an RFC 3339 date-time (section 5.6): date and time of day,
// `T` or `t` between them, any number of digits of a fraction (digits below a millisecond are cut
// off), and `Z`, `z` or an offset. Nothing when the text is anything else, when a part is out of
// its range (a 30th of February, an hour 24), or when the moment is before 1970 or after 9999. A
// leap second (`:60`) is refused, because POSIX time has no number for it.
[[nodiscard]] std::optional<int64_t> parse_time(std::string_view text);

// Why parse_time() finds nothing in a text that is a date-time all the same; otherwise empty.
[[nodiscard]] std::string_view time_fault(std::string_view text);

// Writes a moment in ms since 1970 UTC, such as 2026-12-01T02:00:00.123Z. One outside 1970 … 9999
// is written as the nearest that is inside: a mad clock must not break an answer.
void render_time(int64_t wall_ms, std::span<char, kTimeTextBytes> out);

// The same as a value.
class TimeText {
 public:
  explicit TimeText(int64_t wall_ms) { render_time(wall_ms, text_); }
  std::string_view view() const { return {text_.data(), text_.size()}; }

 private:
  std::array<char, kTimeTextBytes> text_;
};

}  // namespace stampede
