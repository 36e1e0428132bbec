// The Prometheus text: its form, and histograms whose figures agree with each other.
#include "shard/metrics_text.h"

#include "shard/server_metrics.h"

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstdlib>
#include <map>
#include <random>
#include <set>
#include <sstream>
#include <vector>

namespace stampede::shard {
namespace {

struct Sample {
  std::string name;  // with labels
  double value;
};

std::vector<Sample> samples_of(const std::string& text) {
  std::vector<Sample> samples;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("#")) continue;
    const size_t space = line.rfind(' ');
    REQUIRE(space != std::string::npos);
    char* end = nullptr;
    samples.push_back({line.substr(0, space), std::strtod(line.c_str() + space + 1, &end)});
    CAPTURE(line);
    CHECK(*end == '\0');
  }
  return samples;
}

std::string bound_of(const std::string& name) {
  const size_t begin = name.find("le=\"") + 4;
  return name.substr(begin, name.find('"', begin) - begin);
}

// Checks one family of the text; `unit` is what a recorded value is worth in it.
void check_histogram(const std::string& text, const std::string& name,
                     const std::vector<uint64_t>& values, double unit) {
  std::vector<Sample> buckets;
  std::map<std::string, double> ends;
  for (const Sample& sample : samples_of(text)) {
    if (sample.name.starts_with(name + "_bucket"))
      buckets.push_back(sample);
    else if (sample.name.starts_with(name + "_"))
      ends[sample.name.substr(0, sample.name.find('{'))] = sample.value;
  }
  REQUIRE(buckets.size() > 10);
  double last_bound = 0, last_count = 0, sum = 0;
  for (const Sample& bucket : buckets) {
    CAPTURE(bucket.name);
    const double bound =
        bound_of(bucket.name) == "+Inf" ? INFINITY : std::atof(bound_of(bucket.name).c_str());
    CHECK(bound > last_bound);
    CHECK(bucket.value >= last_count);
    double expected = 0;
    for (const uint64_t value : values)
      expected += static_cast<double>(value) * unit < bound * (1 + 1e-12);
    CHECK(bucket.value == expected);
    last_bound = bound;
    last_count = bucket.value;
  }
  CHECK(std::isinf(last_bound));
  for (const uint64_t value : values) sum += static_cast<double>(value) * unit;
  CHECK(ends.at(name + "_count") == static_cast<double>(values.size()));
  CHECK(ends.at(name + "_count") == last_count);
  CHECK(ends.at(name + "_sum") == doctest::Approx(sum));
}

TEST_SUITE("shard/metrics_text") {
  TEST_CASE("a family has its help and its type before its samples") {
    MetricsText text;
    text.counter("waits_total", "Requests that had to wait.", 7);
    text.gauge("lag_seconds", "How far behind.", 0.25);
    CHECK(text.take() ==
          "# HELP stampede_waits_total Requests that had to wait.\n# TYPE stampede_waits_total "
          "counter\n"
          "stampede_waits_total 7\n"
          "# HELP stampede_lag_seconds How far behind.\n# TYPE stampede_lag_seconds "
          "gauge\nstampede_lag_seconds 0.25\n");
  }

  TEST_CASE("counters keep every digit") {
    MetricsText text;
    text.counter("read_bytes_total", "Bytes.", UINT64_MAX);
    CHECK(text.take().ends_with("stampede_read_bytes_total 18446744073709551615\n"));
  }

  TEST_CASE("labels escape what would end them") {
    CHECK(label("version", "a\\b\"c\nd") == "version=\"a\\\\b\\\"c\\nd\"");
  }

  TEST_CASE("an empty histogram is all zeros") {
    MetricsText text;
    text.family("stage_seconds", "histogram", "Stages.");
    text.seconds("stage=\"acked\"", Histogram{});
    check_histogram(text.take(), "stampede_stage_seconds", {}, 1e-9);
  }

  TEST_CASE("buckets of seconds only grow and end in the count") {
    const uint64_t seed = std::random_device{}();
    INFO("seed " << seed);
    std::mt19937_64 dice(seed);
    Histogram histogram;
    std::vector<uint64_t> values = {
        0, 1, 4095, 4097, (uint64_t{1} << 34) - 1, (uint64_t{1} << 34) + 1};
    // A value that is a bound itself may be counted on either side of it: bounds are exact up to a
    // nanosecond.
    for (int i = 0; i < 2000; ++i)
      if (const uint64_t value = dice() >> (20 + dice() % 44); !std::has_single_bit(value))
        values.push_back(value);
    for (const uint64_t value : values) histogram.record(value);
    MetricsText text;
    text.family("stage_seconds", "histogram", "Stages.");
    text.seconds("stage=\"acked\"", histogram);
    const std::string rendered = text.take();
    check_histogram(rendered, "stampede_stage_seconds", values, 1e-9);
    CHECK(rendered.find("stampede_stage_seconds_bucket{stage=\"acked\",le=\"0.000004096\"} ") !=
          std::string::npos);
    CHECK(rendered.find("stampede_stage_seconds_count{stage=\"acked\"} ") != std::string::npos);
  }

  TEST_CASE("buckets of counts are exact at their bounds") {
    Histogram histogram;
    std::vector<uint64_t> values;
    for (uint64_t value = 1; value < 3000; ++value) values.push_back(value);
    values.insert(values.end(), {65'535, 65'536, 1'000'000});
    for (const uint64_t value : values) histogram.record(value);
    MetricsText text;
    text.family("batch_records", "histogram", "Records.");
    text.counts("", histogram);
    check_histogram(text.take(), "stampede_batch_records", values, 1);
  }
}

TEST_SUITE("shard/server_metrics") {
  const ServerView kView{.version = "1.0", .ledger = "embedded", .is_ready = true};

  double value_of(const std::vector<Sample>& samples, const std::string& name) {
    for (const Sample& sample : samples)
      if (sample.name == name) return sample.value;
    FAIL("no sample " << name);
    return 0;
  }

  TEST_CASE("every sample has its own name and stands under its family") {
    Process process(3);
    const std::string text = render_metrics(process, kView);
    CHECK(text.back() == '\n');
    std::set<std::string> names, families;
    std::istringstream lines(text);
    std::string family;
    for (std::string line; std::getline(lines, line);) {
      CAPTURE(line);
      if (line.starts_with("# HELP ")) {
        family = line.substr(7, line.find(' ', 7) - 7);
        CHECK(families.insert(family).second);
      }
      CHECK((family.starts_with("stampede_") || family.starts_with("process_")));
      if (line.starts_with("#")) continue;
      CHECK(line.starts_with(family));
      CHECK(names.insert(line.substr(0, line.rfind(' '))).second);
    }
    CHECK(families.size() > 30);
  }

  TEST_CASE("answers of all shards are summed by code") {
    Process process(3);
    for (auto& metrics : process.metrics)
      metrics->answers[static_cast<unsigned>(Verdict::sold_out)].add(5);
    const auto samples = samples_of(render_metrics(process, kView));
    CHECK(value_of(samples, "stampede_answers_total{code=\"sold_out\",status=\"409\"}") == 15);
    CHECK(value_of(samples, "stampede_answers_total{code=\"created\",status=\"201\"}") == 0);
  }

  TEST_CASE("latencies of all shards are one histogram") {
    Process process(2);
    process.metrics[0]->acked_ns.record(1'000'000);
    process.metrics[1]->acked_ns.record(3'000'000);
    const auto samples = samples_of(render_metrics(process, kView));
    CHECK(value_of(samples, "stampede_stage_seconds_count{stage=\"acked\"}") == 2);
    CHECK(value_of(samples, "stampede_stage_seconds_sum{stage=\"acked\"}") ==
          doctest::Approx(0.004));
    CHECK(value_of(samples, "stampede_stage_seconds_count{stage=\"durable\"}") == 0);
  }

  TEST_CASE(
      "the drainer lags by what is durable and not drained and without a database by nothing") {
    Process process(2);
    process.marks[1]->start_at(9);
    process.marks[1]->drained.raise(7);
    CHECK(lag_records_of(process, 0) == 0);
    CHECK(lag_records_of(process, 1) == 2);
    process.has_database = false;
    CHECK(lag_records_of(process, 1) == 0);
  }

  TEST_CASE("a shard refuses when a verdict says so and not before it has said anything") {
    Metrics metrics;
    CHECK(!is_refusing(metrics));
    metrics.new_orders_refused.set(static_cast<uint64_t>(Verdict::ok));
    CHECK(!is_refusing(metrics));
    metrics.new_orders_refused.set(static_cast<uint64_t>(Verdict::overloaded));
    CHECK(is_refusing(metrics));
  }
}

}  // namespace
}  // namespace stampede::shard
