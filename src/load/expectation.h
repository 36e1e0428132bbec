// The goal of a run, from --expect: one comparison of a figure of the report.
//
//   [ANSWER:]FIGURE<VALUE       also <=, >, >=, =
//
//   p50 … p99.99, mean, max                latency of orders, of one kind of ANSWER, or, with `late` in its place,
//                                          of sending due orders; VALUE with ns, us, ms or s
//   count, share                           answers, of all or of one kind; share with %
//   throughput                             answers to orders a second
//   sold, refused, failed, unsent          users, and orders that were due and not sent
//   busiest                                part of its time that a thread of the generator worked, with %
//
// A latency that was never measured meets no expectation: a run that did nothing has reached nothing.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "load/report.h"

namespace stampede::load {

enum class FigureKind : uint8_t { duration, number, percent };
enum class Comparison : uint8_t { less, at_most, more, at_least, equal };

struct Expectation {
  std::string text;  // as it was given
  std::string answer, figure;
  FigureKind kind = FigureKind::number;
  Comparison comparison = Comparison::less;
  double bound = 0;  // in ns, or percent
};

// The error has the form that was expected.
[[nodiscard]] Result<Expectation> parse_expectation(std::string_view text);

[[nodiscard]] Report::Expected judge(const Expectation& expectation, const Report& report);

}  // namespace stampede::load
