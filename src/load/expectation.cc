#include "load/expectation.h"

#include <charconv>
#include <optional>

#include "base/words.h"
#include "load/number_text.h"

namespace stampede::load {
namespace {

constexpr struct {
  std::string_view sign;
  Comparison comparison;
} kComparisons[] = {{"<=", Comparison::at_most},
                    {">=", Comparison::at_least},
                    {"<", Comparison::less},
                    {">", Comparison::more},
                    {"=", Comparison::equal}};

constexpr struct {
  std::string_view name;
  double ns;
} kUnits[] = {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}};

// All but the percentiles.
constexpr struct {
  std::string_view name;
  FigureKind kind;
  bool is_of_answers;  // may have an answer in front
} kFigures[] = {{"mean", FigureKind::duration, true},      {"max", FigureKind::duration, true},
                {"count", FigureKind::number, true},       {"share", FigureKind::percent, true},
                {"throughput", FigureKind::number, false}, {"sold", FigureKind::number, false},
                {"refused", FigureKind::number, false},    {"failed", FigureKind::number, false},
                {"unsent", FigureKind::number, false},     {"busiest", FigureKind::percent, false}};

// A number without a sign; `text` keeps the rest behind it.
std::optional<double> read_number(std::string_view& text) {
  if (text.starts_with('-')) return std::nullopt;  // of 0, too
  double number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem != std::errc() || !(number >= 0 && number <= 1e18)) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return number;
}

// `p99.9`
std::optional<double> percent_of(std::string_view figure) {
  if (!figure.starts_with('p')) return std::nullopt;
  figure.remove_prefix(1);
  const std::optional<double> percent = read_number(figure);
  return percent && *percent <= 100 && figure.empty() ? percent : std::nullopt;
}

Status take_figure(std::string_view name, Expectation& made) {
  const size_t colon = name.find(':');
  const bool has_answer = colon != name.npos && colon > 0;
  if (has_answer) made.answer = name.substr(0, colon);
  made.figure = has_answer ? name.substr(colon + 1) : name;
  made.kind = FigureKind::duration;
  if (percent_of(made.figure)) return Ok{};
  for (const auto& [figure, kind, is_of_answers] : kFigures) {
    if (figure != made.figure || (has_answer && !is_of_answers)) continue;
    // `late` is no answer: it has no number and no share.
    if (made.answer == "late" && kind != FigureKind::duration) continue;
    made.kind = kind;
    return Ok{};
  }
  return Error{
      "expected a figure such as p99, created:p99.9, late:max, throughput, sold or "
      "try_again:share in front of the comparison, not '" +
      std::string(name) + "'"};
}

Status take_bound(std::string_view text, Expectation& made) {
  std::string_view unit = text;
  const std::optional<double> number = read_number(unit);
  if (number && made.kind == FigureKind::duration) {
    for (const auto& [name, ns] : kUnits) {
      if (unit != name) continue;
      made.bound = *number * ns;
      return Ok{};
    }
  } else if (number && unit == (made.kind == FigureKind::percent ? "%" : "")) {
    made.bound = *number;
    return Ok{};
  }
  const char* const example = made.kind == FigureKind::duration  ? "a time such as 5ms"
                              : made.kind == FigureKind::percent ? "a part such as 1%"
                                                                 : "a number";
  return Error{"expected " + std::string(example) + " behind " + made.figure + ", not '" +
               std::string(text) + "'"};
}

double percentage(double part, double whole) {
  return whole > 0 ? 100 * part / whole : 0;
}

// Of nothing at all there is no latency.
std::optional<double> latency_of(const std::string& figure, const Histogram* latency_ns) {
  if (latency_ns == nullptr || latency_ns->count() == 0) return std::nullopt;
  if (figure == "mean") return latency_ns->mean();
  return static_cast<double>(latency_ns->percentile(percent_of(figure).value_or(100)));
}

const Histogram* latencies_of(const std::string& answer, const Tally& tally) {
  if (answer.empty()) return &tally.latency_ns;
  if (answer == "late") return &tally.own.late_ns;
  const NamedAnswers::Entry* const entry = tally.answers.find(answer);
  return entry == nullptr ? nullptr : entry->latency_ns.get();
}

std::optional<double> measured(const Expectation& expectation, const Report& report) {
  const Tally& tally = report.tally;
  const std::string& figure = expectation.figure;
  if (expectation.kind == FigureKind::duration)
    return latency_of(figure, latencies_of(expectation.answer, tally));
  const auto all = static_cast<double>(tally.answers.total());
  const double answers =
      expectation.answer.empty() ? all : static_cast<double>(tally.answers[expectation.answer]);
  if (figure == "count") return answers;
  if (figure == "share") return percentage(answers, all);
  if (figure == "throughput") return report.throughput();
  if (figure == "sold") return static_cast<double>(report.sold());
  if (figure == "refused") return static_cast<double>(report.refused());
  if (figure == "failed") return static_cast<double>(report.failed());
  if (figure == "unsent") return static_cast<double>(report.unsent);
  return 100 * tally.own.busiest;
}

bool holds(double value, Comparison comparison, double bound) {
  switch (comparison) {
    case Comparison::less:
      return value < bound;
    case Comparison::at_most:
      return value <= bound;
    case Comparison::more:
      return value > bound;
    case Comparison::at_least:
      return value >= bound;
    case Comparison::equal:
      return value == bound;
  }
  CHECK(false);
}

std::string text_of(std::optional<double> value, FigureKind kind) {
  if (!value) return "nothing was measured";
  if (kind == FigureKind::duration) return duration_text(static_cast<uint64_t>(*value));
  if (kind == FigureKind::percent) return format("%.2f %%", *value);
  return grouped(static_cast<uint64_t>(*value));
}

}  // namespace

Result<Expectation> parse_expectation(std::string_view text) {
  Expectation made{.text = std::string(text)};
  const size_t at = text.find_first_of("<>=");
  for (const auto& [sign, comparison] : kComparisons) {
    if (at == text.npos || !text.substr(at).starts_with(sign)) continue;
    made.comparison = comparison;
    if (Status taken = take_figure(text.substr(0, at), made); !taken) return taken.error();
    if (Status taken = take_bound(text.substr(at + sign.size()), made); !taken)
      return taken.error();
    return made;
  }
  return Error{"expected a comparison such as p99<5ms or throughput>50000, not '" +
               std::string(text) + "'"};
}

Report::Expected judge(const Expectation& expectation, const Report& report) {
  const std::optional<double> value = measured(expectation, report);
  return {.text = expectation.text,
          .measured = text_of(value, expectation.kind),
          .is_met = value && holds(*value, expectation.comparison, expectation.bound)};
}

}  // namespace stampede::load
