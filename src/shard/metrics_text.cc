#include "shard/metrics_text.h"

#include <charconv>

namespace stampede::shard {
namespace {

constexpr double kNanosecond = 1e-9;
constexpr unsigned kSecondsFirstPower = 12,
                   kSecondsLastPower = 34;  // 2^12 ns = 4 µs, 2^34 ns = 17 s
constexpr unsigned kCountsLastPower = 16;

// The shortest text that reads back as the same number. Bounds are labels, so they are never in
// exponent form.
std::string text_of(double value, std::chars_format format = std::chars_format::general) {
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof digits, value, format).ptr;
  return {digits, end};
}

}  // namespace

void MetricsText::family(std::string_view name, std::string_view type, std::string_view help,
                         std::string_view prefix) {
  family_ = prefix;
  family_ += name;
  text_.append("# HELP ").append(family_).append(" ").append(help);
  text_.append("\n# TYPE ").append(family_).append(" ").append(type).append("\n");
}

void MetricsText::line(std::string_view suffix, std::string_view labels, std::string_view value) {
  text_.append(family_).append(suffix);
  if (!labels.empty()) text_.append("{").append(labels).append("}");
  text_.append(" ").append(value).append("\n");
}

void MetricsText::sample(std::string_view labels, uint64_t value) {
  line("", labels, std::to_string(value));
}
void MetricsText::sample(std::string_view labels, double value) {
  line("", labels, text_of(value));
}

void MetricsText::counter(std::string_view name, std::string_view help, uint64_t value) {
  family(name, "counter", help);
  sample("", value);
}

void MetricsText::gauge(std::string_view name, std::string_view help, uint64_t value) {
  family(name, "gauge", help);
  sample("", value);
}

void MetricsText::gauge(std::string_view name, std::string_view help, double value) {
  family(name, "gauge", help);
  sample("", value);
}

void MetricsText::bucket(std::string_view labels, std::string_view bound, uint64_t count) {
  std::string all(labels);
  if (!all.empty()) all += ',';
  line("_bucket", all.append("le=\"").append(bound).append("\""), std::to_string(count));
}

void MetricsText::end_histogram(std::string_view labels, uint64_t count, double sum) {
  bucket(labels, "+Inf", count);
  line("_sum", labels, text_of(sum));
  line("_count", labels, std::to_string(count));
}

void MetricsText::seconds(std::string_view labels, const Histogram& values) {
  for (unsigned power = kSecondsFirstPower; power <= kSecondsLastPower; ++power) {
    const uint64_t bound_ns = uint64_t{1} << power;
    bucket(labels, text_of(static_cast<double>(bound_ns) * kNanosecond, std::chars_format::fixed),
           values.count_at_most(bound_ns - 1));
  }
  end_histogram(labels, values.count(), static_cast<double>(values.sum()) * kNanosecond);
}

void MetricsText::counts(std::string_view labels, const Histogram& values) {
  for (unsigned power = 1; power <= kCountsLastPower; ++power) {
    const uint64_t bound = (uint64_t{1} << power) - 1;
    bucket(labels, std::to_string(bound), values.count_at_most(bound));
  }
  end_histogram(labels, values.count(), static_cast<double>(values.sum()));
}

std::string label(std::string_view name, std::string_view value) {
  std::string text(name);
  text += "=\"";
  for (const char c : value) {
    if (c == '\\' || c == '"') text += '\\';
    if (c == '\n')
      text += "\\n";
    else
      text += c;
  }
  return text += '"';
}

}  // namespace stampede::shard
