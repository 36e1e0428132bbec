// Lines for the operator: error, warning, notice, debug. One line each: the event, its place, the remedy. Never called on the path
// of an order.
//
//   text   stampede: warning: no rows go into the database, trying again: …
//   JSON   {"time":"2026-12-01T02:00:00.123Z","level":"warn","message":"no rows go …","shard":3}
//
// They go to stderr at once, each with one write. No thread waits for a slow reader: a line that cannot be written within some
// milliseconds is dropped and counted. Of one kind (one place in the source) kLinesMax come in ten seconds; further ones are
// counted, and the next line has their number. Under systemd each line of text carries its syslog priority; the journal
// has the time.
//
// Any thread.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

namespace stampede::diag {

enum class Level : uint8_t { error, warning, notice, debug };
enum class Format : uint8_t { text, json };

// As flags have them: error, warn, info, debug; text, json.
[[nodiscard]] std::optional<Level> parse_level(std::string_view word);
[[nodiscard]] std::optional<Format> parse_format(std::string_view word);

// From now on lines of this level and of those before it are printed. Before there are other threads.
void configure(Level least, Format format);
[[nodiscard]] bool is_json();

[[gnu::format(printf, 1, 2)]] void debug(const char* format, ...);
[[gnu::format(printf, 1, 2)]] void notice(const char* format, ...);
[[gnu::format(printf, 1, 2)]] void warning(const char* format, ...);
[[gnu::format(printf, 1, 2)]] void error(const char* format, ...);

// The subject of a line, for programs that read it; the message of the line has it too, in words. An empty text is left out.
struct Field {
  std::string_view name;
  bool is_number;
  std::string_view text = {};
  uint64_t number = 0;

  Field(std::string_view field, std::string_view value)
      : name(field), is_number(false), text(value) {}
  Field(std::string_view field, std::integral auto value)
      : name(field), is_number(true), number(static_cast<uint64_t>(value)) {}
};
using Fields = std::initializer_list<Field>;
[[gnu::format(printf, 3, 4)]] void line(Level level, Fields fields, const char* format, ...);

// The lines of a start, on stdout: as they are, or as JSON. They are of level notice, but in text they come at any
// level: people and scripts wait for them.
void start_line(const std::string& text);

// The last words of a process (base/check.h): no lock, no limit.
void last_words(const std::string& text);

// Once a second: logs how many lines have been left out, if no later line did.
void report_left_out();

}  // namespace stampede::diag
