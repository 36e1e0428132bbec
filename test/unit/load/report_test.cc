#include "load/report.h"

#include <doctest/doctest.h>
#include <simdjson.h>

#include <cstdio>
#include <cstdlib>

#include "load/number_text.h"

using namespace stampede;
using namespace stampede::load;

namespace {

std::string printed(void (*print)(const Report&, std::FILE*), const Report& report) {
  char* text = nullptr;
  size_t bytes = 0;
  std::FILE* out = open_memstream(&text, &bytes);
  print(report, out);
  std::fclose(out);
  std::string copy(text, bytes);
  std::free(text);
  return copy;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

struct Figures {
  Figures() {
    for (int i = 0; i < 1000; ++i) tally.latency_ns.record(1'000'000);
    tally.answers.add("created", 10);
    tally.answers.add("sold_out", 990);
    tally.first_ns = 5 * kSecond;
    tally.last_ns = 7 * kSecond;
    users[static_cast<size_t>(UserEnd::sold)] = 10;
    users[static_cast<size_t>(UserEnd::sold_out)] = 990;
  }
  Report report() { return {.plan = plan, .tally = tally, .users = users}; }

  Plan plan;
  Tally tally;
  UserCounts users{};
};

}  // namespace

TEST_SUITE("load/report") {
  TEST_CASE("throughput counts measured answers over the measured time") {
    Figures figures;
    CHECK(figures.report().seconds() == 2);
    CHECK(figures.report().throughput() == 500);
  }

  TEST_CASE("the table names every outcome with its count") {
    Figures figures;
    figures.tally.failures[static_cast<size_t>(Failure::connection_lost)] = 3;
    std::string table = printed(print_table, figures.report());
    for (const char* part : {"throughput", "p99.99", "created", "sold_out", "990", "99.00 %",
                             "connection_lost", "1.00 ms"}) {
      INFO(part);
      CHECK(contains(table, part));
    }
    CHECK_FALSE(contains(table, "oversold"));  // nobody asked
  }

  TEST_CASE("one broken promise breaks the report and is marked in its line") {
    Figures figures;
    Report report = figures.report();
    report.verified = Report::Verified{
        .checks = {{"acknowledged", "fine", true}, {"oversold", "bad", false}}, .oversold = 1};
    CHECK(report.is_broken());
    std::string table = printed(print_table, report);
    CHECK(contains(table, "✗ bad"));
    CHECK(contains(table, "✓ fine"));
    report.verified->checks[1].is_kept = true;
    CHECK_FALSE(report.is_broken());
  }

  TEST_CASE("a sale of nothing is not praised") {
    Figures figures;
    Report report = figures.report();
    report.verified = Report::Verified{.checks = {{"oversold", "fine", true}}};
    CHECK(report.is_proven());
    figures.users[static_cast<size_t>(UserEnd::sold)] = 0;
    CHECK_FALSE(report.is_broken());
    CHECK_FALSE(report.is_proven());
    CHECK(contains(printed(print_table, report), "– fine"));
    CHECK(contains(printed(write_json, report), R"("verify":{"ok":false)"));
  }

  TEST_CASE("each kind of answer has its own latencies") {
    Figures figures;
    figures.tally.answers.add("created").record(2'000'000);
    figures.tally.answers.add("created").record(4'000'000);
    CHECK(contains(printed(print_table, figures.report()), "max  4.00 ms"));
    const std::string json = printed(write_json, figures.report());
    CHECK(contains(json, R"("latency_by_answer_ns":{"created":{"count":2)"));
    CHECK_FALSE(contains(json, R"("latency_by_answer_ns":{"sold_out")"));  // none was measured
  }

  TEST_CASE("a generator that has no time left says so") {
    Figures figures;
    figures.tally.own.cpu_ns = 19 * kSecond / 10;
    figures.tally.own.busiest = 0.85;
    CHECK_FALSE(contains(printed(print_table, figures.report()), "the generator is the limit"));
    figures.tally.own.busiest = 0.95;
    CHECK(contains(printed(print_table, figures.report()), "the generator is the limit"));
    CHECK(contains(printed(write_json, figures.report()), R"("is_the_limit":true)"));
  }

  TEST_CASE("the JSON holds the same figures and parses whatever the codes are called") {
    Figures figures;
    figures.tally.answers.add("od\"d\\\n", 1);
    Report report = figures.report();
    report.verified = Report::Verified{
        .checks = {{"oversold", "1 \"too\" many", false}}, .rows = 10, .oversold = 1};
    simdjson::dom::parser parser;
    simdjson::dom::element json;
    std::string text = printed(write_json, report);
    INFO(text);
    REQUIRE(parser.parse(text).get(json) == simdjson::SUCCESS);
    CHECK(uint64_t(json["answers"]["created"]) == 10);
    CHECK(uint64_t(json["answers"]["od\"d\\\n"]) == 1);
    CHECK(uint64_t(json["users"]["sold"]) == 10);
    CHECK(double(json["throughput"]) == 500);
    CHECK(uint64_t(json["latency_ns"]["max"]) == 1'000'000);
    CHECK(uint64_t(json["latency_ns"]["p9999"]) == 1'000'000);
    CHECK_FALSE(bool(json["verify"]["ok"]));
    CHECK(uint64_t(json["verify"]["database_rows"]) == 10);
    CHECK(uint64_t(json["generator"]["queued"]) == 0);
    CHECK_FALSE(bool(json["verify"]["checks"]["oversold"]["ok"]));
  }

  TEST_CASE("expectations are listed with what was measured and one that is missed is enough") {
    Figures figures;
    Report report = figures.report();
    CHECK(report.is_as_expected());
    report.expected = {{"p99<5ms", "1.00 ms", true}, {"sold>10", "10", false}};
    CHECK_FALSE(report.is_as_expected());
    CHECK(contains(printed(print_table, report), "p99<5ms                 1.00 ms   ✓"));
    CHECK(contains(
        printed(write_json, report),
        R"({"expectation":"p99<5ms","measured":"1.00 ms","ok":true},{"expectation":"sold>10")"));
    report.expected.pop_back();
    CHECK(report.is_as_expected());
  }

  TEST_CASE("a report of nothing at all is printed too") {
    Plan plan;
    Tally tally;
    UserCounts users{};
    Report report{.plan = plan, .tally = tally, .users = users};
    CHECK(report.throughput() == 0);
    CHECK_FALSE(printed(print_table, report).empty());
  }
}

TEST_SUITE("load/number_text") {}

TEST_SUITE("load/tally") {
  TEST_CASE("names are counted apart and listed by their counts") {
    NamedAnswers counts;
    counts.add("a");
    counts.add("b", 5);
    counts.add("a");
    CHECK(counts["a"] == 2);
    CHECK(counts["c"] == 0);
    CHECK(counts.total() == 7);
    CHECK(counts.by_count().front()->name.view() == "b");
  }

  TEST_CASE(
      "a server that invents codes cannot make the table grow and no answer is lost from the "
      "count") {
    NamedAnswers counts;
    for (int i = 0; i < 1000; ++i) counts.add("code" + std::to_string(i));
    counts.add(std::string(1000, 'x'));
    counts.add("code3");
    CHECK(counts.by_count().size() == NamedAnswers::kNamesMax);
    CHECK(counts.total() == 1002);
    CHECK(counts["code3"] == 2);
    CHECK(counts["(other)"] == 938);
  }

  TEST_CASE("merging adds up and keeps the widest span of time") {
    Tally one, two;
    one.answers.add("a", 1);
    two.answers.add("a", 2);
    two.answers.add("b", 3);
    one.answers.add("a", 0).record(7);
    two.answers.add("a", 0).record(9);
    one.own.cpu_ns = 1, one.own.busiest = 0.5;
    two.own.cpu_ns = 2, two.own.busiest = 0.25;
    one.first_ns = 5, one.last_ns = 9;
    two.first_ns = 4, two.last_ns = 8;
    Tally sum;
    sum.merge(one);
    sum.merge(two);
    CHECK(sum.answers["a"] == 3);
    CHECK(sum.answers["b"] == 3);
    CHECK(sum.answers.find("a")->latency_ns->count() == 2);
    CHECK(sum.answers.find("b")->latency_ns == nullptr);
    CHECK(sum.own.cpu_ns == 3);
    CHECK(sum.own.busiest == 0.5);
    CHECK(sum.first_ns == 4);
    CHECK(sum.last_ns == 9);
  }
}
