// Metrics as Prometheus reads them (text exposition format 0.0.4): one family after the other, each
// with HELP and TYPE, names from `stampede_` to their unit.
//
//   # HELP stampede_answers_total Answers on the public listener, by code.
//   # TYPE stampede_answers_total counter
//   stampede_answers_total{code="created",status="201"} 10000
//
// What shards do alike is summed where nobody asks which shard it was (answers, latencies) and
// labelled with the shard where the difference tells something (watermarks, orders, connections).
// Latencies are histograms whose bounds are powers of two: each is exact up to a nanosecond,
// because a Histogram has a bucket that ends there.
//
// Rendering reads 30 KB a histogram and shard, some 20 µs each: on shard 0's thread, a few times a
// minute.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/histogram.h"

namespace stampede::shard {

// Appends families to a text. The family's name stands without the prefix.
class MetricsText {
 public:
  void family(std::string_view name, std::string_view type, std::string_view help,
              std::string_view prefix = "stampede_");
  // Samples of the last family. `labels` as they stand between the braces; may be empty.
  void sample(std::string_view labels, uint64_t value);
  void sample(std::string_view labels, double value);

  // One family of one unlabelled sample.
  void counter(std::string_view name, std::string_view help, uint64_t value);
  void gauge(std::string_view name, std::string_view help, uint64_t value);
  void gauge(std::string_view name, std::string_view help, double value);

  // A histogram of nanoseconds as seconds, from 4 µs to 17 s; nothing may be recorded in `values`
  // meanwhile.
  void seconds(std::string_view labels, const Histogram& values);
  // A histogram of counts, with bounds 1, 3, 7, … 2^16 − 1.
  void counts(std::string_view labels, const Histogram& values);

  std::string take() { return std::move(text_); }

 private:
  void bucket(std::string_view labels, std::string_view bound, uint64_t count);
  void end_histogram(std::string_view labels, uint64_t count, double sum);
  void line(std::string_view suffix, std::string_view labels, std::string_view value);

  std::string family_;  // with the prefix
  std::string text_;
};

// A label's value with what it must escape: \, " and the newline.
[[nodiscard]] std::string label(std::string_view name, std::string_view value);

}  // namespace stampede::shard
