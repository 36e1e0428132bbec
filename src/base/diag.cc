#include "base/diag.h"

#include <poll.h>
#include <unistd.h>

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <mutex>

#include "base/line_limit.h"
#include "base/printable.h"
#include "base/quoted.h"
#include "base/time_text.h"
#include "base/words.h"

namespace stampede::diag {
namespace {

struct LevelWords {
  const char* priority;  // systemd's
  std::string_view prefix, word;
};
constexpr LevelWords kLevels[] = {{"<3>", "error: ", "error"},
                                  {"<4>", "warning: ", "warn"},
                                  {"<5>", "", "info"},
                                  {"<7>", "debug: ", "debug"}};
constexpr std::string_view kFormats[] = {"text", "json"};
constexpr int kPatienceMs = 10;
constexpr size_t kTextMax = 2048;

Level least_level = Level::notice;
Format chosen_format = Format::text;

std::mutex mutex;
LineLimit limit;         // under the mutex
uint64_t unwritten = 0;  // lines that were not read in time; under the mutex

const LevelWords& words_of(Level level) {
  return kLevels[static_cast<unsigned>(level)];
}

int64_t now_ns(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return time.tv_sec * int64_t{1'000'000'000} + time.tv_nsec;
}

std::string json_line(Level level, std::string_view message, Fields fields) {
  std::string json = R"({"time":")";
  json.append(TimeText(now_ns(CLOCK_REALTIME) / 1'000'000).view());
  json.append(R"(","level":")").append(words_of(level).word).append(R"(","message":)");
  append_quoted(message, json);
  for (const Field& field : fields) {
    if (!field.is_number && field.text.empty()) continue;
    json.append(",\"").append(field.name).append("\":");
    if (field.is_number)
      json += std::to_string(field.number);
    else
      append_quoted(printable(field.text), json);
  }
  return json += "}\n";
}

std::string text_line(Level level, std::string_view message) {
  static const bool under_systemd = std::getenv("JOURNAL_STREAM") != nullptr;
  std::string text = under_systemd ? words_of(level).priority : "";
  return text.append("stampede: ").append(words_of(level).prefix).append(message) += '\n';
}

std::string whole_line(Level level, std::string_view message, Fields fields) {
  return is_json() ? json_line(level, message, fields) : text_line(level, message);
}

// stderr has no buffer: this is one write.
void write_line(const std::string& line) {
  std::fwrite(line.data(), 1, line.size(), stderr);
}

// A pipe that takes this much takes a line whole (PIPE_BUF); a file always does.
bool is_read_by_somebody() {
  pollfd out{.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
  return ::poll(&out, 1, kPatienceMs) != 0;
}

std::string left_out_words(uint64_t left_out) {
  return counted(left_out, "line") + " like it left out";
}

void print(Level level, Fields fields, const char* format, va_list arguments) {
  if (level > least_level) return;
  char text[kTextMax];
  std::vsnprintf(text, sizeof text, format, arguments);
  const std::lock_guard lock(mutex);
  const std::optional<uint64_t> left_out = limit.admit(format, now_ns(CLOCK_MONOTONIC));
  if (!left_out) return;
  if (!is_read_by_somebody()) {
    ++unwritten;
    return;
  }
  std::string message = printable(text);  // it may quote a file or a request
  if (*left_out > 0) message += " (" + left_out_words(*left_out) + ")";
  write_line(whole_line(level, message, fields));
}

}  // namespace

std::optional<Level> parse_level(std::string_view word) {
  for (const Level level : {Level::error, Level::warning, Level::notice, Level::debug})
    if (words_of(level).word == word) return level;
  return std::nullopt;
}

std::optional<Format> parse_format(std::string_view word) {
  for (const Format format : {Format::text, Format::json})
    if (kFormats[static_cast<unsigned>(format)] == word) return format;
  return std::nullopt;
}

void configure(Level least, Format format) {
  least_level = least;
  chosen_format = format;
}

bool is_json() {
  return chosen_format == Format::json;
}

#define STAMPEDE_DIAG(name, level)       \
  void name(const char* format, ...) {   \
    va_list arguments;                   \
    va_start(arguments, format);         \
    print(level, {}, format, arguments); \
    va_end(arguments);                   \
  }
STAMPEDE_DIAG(debug, Level::debug)
STAMPEDE_DIAG(notice, Level::notice)
STAMPEDE_DIAG(warning, Level::warning)
STAMPEDE_DIAG(error, Level::error)
#undef STAMPEDE_DIAG

void line(Level level, Fields fields, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  print(level, fields, format, arguments);
  va_end(arguments);
}

void start_line(const std::string& text) {
  if (is_json() && least_level < Level::notice) return;
  const std::string line = is_json() ? json_line(Level::notice, text, {}) : text + '\n';
  std::fwrite(line.data(), 1, line.size(), stdout);
  std::fflush(stdout);
}

void last_words(const std::string& text) {
  write_line(is_json() ? json_line(Level::error, text, {}) : "stampede: " + text + '\n');
}

void report_left_out() {
  const std::lock_guard lock(mutex);
  const uint64_t left_out = limit.take_left_out(now_ns(CLOCK_MONOTONIC));
  if (left_out == 0 && unwritten == 0) return;
  if (!is_read_by_somebody()) return;
  if (left_out > 0)
    write_line(whole_line(Level::notice,
                          counted(left_out, "line was", "lines were") +
                              " left out: too many of a kind came within ten seconds",
                          {}));
  if (unwritten > 0)
    write_line(whole_line(
        Level::warning,
        counted(unwritten, "line was", "lines were") + " left out: stderr was not read in time",
        {}));
  unwritten = 0;
}

}  // namespace stampede::diag
