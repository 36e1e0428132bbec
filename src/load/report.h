// The report of a run: one table for people, the same as JSON for scripts.
#pragma once

#include <cstdio>
#include <optional>
#include <span>
#include <string>

#include "load/plan.h"
#include "load/run.h"
#include "load/series.h"
#include "load/verification.h"

namespace stampede::load {

constexpr struct {
  const char* name;
  const char* key;  // in JSON
  double percent;
} kPercentiles[] = {{"p50", "p50", 50},      {"p90", "p90", 90},         {"p99", "p99", 99},
                    {"p99.9", "p999", 99.9}, {"p99.99", "p9999", 99.99}, {"max", "max", 100}};

// All of a run. The verified part is missing when it was not asked for.
struct Report {
  const Plan& plan;
  const Tally& tally;
  const UserCounts& users;
  uint64_t unsent = 0;

  struct Verified {
    std::vector<Check> checks;
    uint64_t rows = 0, oversold = 0, unsold = 0;
  };
  std::optional<Verified> verified;

  // A goal (expectation.h), and the figure that was reached.
  struct Expected {
    std::string text, measured;
    bool is_met = false;
  };
  std::vector<Expected> expected;

  std::span<const Second> seconds_of_run = {};

  uint64_t users_who(UserEnd end) const { return users[static_cast<size_t>(end)]; }
  uint64_t sold() const { return users_who(UserEnd::sold); }
  uint64_t refused() const { return users_who(UserEnd::refused) + users_who(UserEnd::sold_out); }
  // Without a final answer.
  uint64_t failed() const { return users_who(UserEnd::gave_up) + users_who(UserEnd::unknown); }
  double seconds() const;  // measured
  double throughput() const;
  // A thread of the generator had no time left: then its own speed was measured.
  bool is_limited_by_generator() const { return tally.own.busiest > 0.9; }
  bool is_broken() const;  // a promise was
  bool is_as_expected() const;
  // It was looked for broken promises, and none was found; where nothing was sold, none could be.
  bool is_proven() const { return verified && !is_broken() && sold() > 0; }
};

void print_table(const Report& report, std::FILE* out);
void write_json(const Report& report, std::FILE* out);

// A line for each second of the run.
[[nodiscard]] std::string csv_heading();
[[nodiscard]] std::string csv_line(const Second& second);

// One line about a run that still goes on, at the end of the last second of its series.
[[nodiscard]] std::string progress_line(const Plan& plan, const Series& series);

}  // namespace stampede::load
