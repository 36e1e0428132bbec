#include "load/series.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "fake_server.h"
#include "load/report.h"

using namespace stampede;
using namespace stampede::load;

TEST_SUITE("load/series") {
  TEST_CASE("seconds add up to the run") {
    FakeSale sale(30);
    FakeServer server(
        [&](const FakeRequest& request) { return FakeReply{{sale.answer(request)}}; });
    Plan plan;
    plan.server = server.address();
    plan.users = 100;
    plan.connections = 4;
    SystemClock clock;
    Run run(plan, clock);
    Series series(run);
    CHECK(series.close_second(kSecond).answered == 0);
    run.begin();
    REQUIRE(bool(run.finish()));
    const Second second = series.close_second(3 * kSecond);
    CHECK(second.end_s == 3);
    CHECK(second.length_s == 2);
    CHECK(second.sent == 100);
    CHECK(second.answered == 100);
    CHECK(second.sold == 30);
    CHECK(second.refused == 70);
    CHECK(second.measured == 100);
    CHECK(second.rate() == 50);
    CHECK(second.max_ns == run.tally().latency_ns.max());
    CHECK(series.close_second(4 * kSecond).answered == 0);
    CHECK(series.seconds().size() == 3);
    CHECK(series.live().answered == 100);
    CHECK(series.latency_ns().count() == 100);
    CHECK(series.second_latency_ns().count() == 0);
  }

  TEST_CASE("a second is a line with as many fields as the heading") {
    const Second second{.end_s = 2.0005, .length_s = 1, .sent = 5, .max_ns = 1'234'567};
    const std::string line = csv_line(second), heading = csv_heading();
    CHECK(line == "2.001,1.000,5,0,0,0,0,0,0,0.000,0.000,1.235\n");
    CHECK(std::count(line.begin(), line.end(), ',') ==
          std::count(heading.begin(), heading.end(), ','));
  }

  TEST_CASE("the line of a running load says how much is behind it and how much is left") {
    Plan plan{.users = 100'000, .rate = 1'000};  // 100 s
    SystemClock clock;
    Run run(plan, clock);
    const auto line_at = [&](int64_t ns) {
      Series series(run);
      series.close_second(ns);
      return progress_line(plan, series);
    };
    CHECK(line_at(30 * kSecond).find("0 %, 70 s left") != std::string::npos);
    plan.duration_ns = 60 * kSecond;
    CHECK(line_at(15 * kSecond).find("25 %, 45 s left") != std::string::npos);
    CHECK(line_at(61 * kSecond).find("100 %, 0 s left") != std::string::npos);
  }
}
