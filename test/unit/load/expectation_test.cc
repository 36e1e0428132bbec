#include "load/expectation.h"

#include <doctest/doctest.h>

using namespace stampede;
using namespace stampede::load;

namespace {

struct Ran {
  Ran() {
    for (int i = 0; i < 99; ++i) tally.latency_ns.record(1'000'000);
    tally.latency_ns.record(9'000'000);
    tally.answers.add("created", 75).record(3'000'000);
    tally.answers.add("sold_out", 25);
    tally.own.busiest = 0.5;
    tally.first_ns = 0;
    tally.last_ns = kSecond;
    users[static_cast<size_t>(UserEnd::sold)] = 75;
    users[static_cast<size_t>(UserEnd::sold_out)] = 20;
    users[static_cast<size_t>(UserEnd::gave_up)] = 5;
  }

  Report::Expected judged(const std::string& text) const {
    const Result<Expectation> expectation = parse_expectation(text);
    REQUIRE_MESSAGE(bool(expectation), text);
    const Report report{.plan = plan, .tally = tally, .users = users, .unsent = 7};
    return judge(*expectation, report);
  }

  Plan plan;
  Tally tally;
  UserCounts users{};
};

}  // namespace

TEST_SUITE("load/expectation") {
  TEST_CASE("a comparison of a figure holds or does not") {
    const Ran ran;
    for (const char* met : {"p50<1.1ms",
                            "p99<2ms",
                            "p99.9>5ms",
                            "max<=9ms",
                            "max>=8999us",
                            "mean<1.2ms",
                            "p100<1s",
                            "created:p50<4ms",
                            "created:max>2000000ns",
                            "created:count=75",
                            "created:share>=75%",
                            "none:count=0",
                            "none:share=0%",
                            "count=100",
                            "share=100%",
                            "throughput>99",
                            "sold=75",
                            "refused<21",
                            "failed>=5",
                            "unsent=7",
                            "busiest<51%"}) {
      CAPTURE(met);
      CHECK(ran.judged(met).is_met);
    }
    for (const char* missed : {"p50>1.1ms", "p99.9<5ms", "max<9ms", "sold<75", "sold>75",
                               "failed<1", "busiest>=51%", "created:share<75%"}) {
      CAPTURE(missed);
      CHECK_FALSE(ran.judged(missed).is_met);
    }
    CHECK(ran.judged("max<9ms").text == "max<9ms");
    CHECK(ran.judged("max<9ms").measured == "9.00 ms");
    CHECK(ran.judged("created:share<75%").measured == "75.00 %");
    CHECK(ran.judged("sold>1").measured == "75");
  }

  TEST_CASE("what was not measured meets no expectation of a latency") {
    const Ran ran;
    for (const char* text : {"none:p50<1s", "sold_out:max<1s", "late:p99<1s", "late:p99>=0ns"}) {
      CAPTURE(text);
      CHECK_FALSE(ran.judged(text).is_met);
      CHECK(ran.judged(text).measured == "nothing was measured");
    }
  }

  TEST_CASE("how late it was sent is judged apart from the latency") {
    Ran ran;
    ran.tally.own.late_ns.record(20'000);
    CHECK(ran.judged("late:max<21us").is_met);
    CHECK_FALSE(ran.judged("late:max<19us").is_met);
  }

  TEST_CASE("what is no expectation is named") {
    for (const char* text : {"",
                             "p99",
                             "p99<",
                             "p99<5",
                             "p99<5m",
                             "p99<ms",
                             "p101<5ms",
                             "p<5ms",
                             "<5ms",
                             "p99!5ms",
                             "sold<5ms",
                             "sold<5%",
                             "busiest<1",
                             "late:sold>1",
                             "created:throughput>1",
                             "speed>1",
                             "p99<-1ms",
                             "p99<nanms",
                             "p99==1ms",
                             "late:count=0",
                             "late:share<1%",
                             ":p99<1s",
                             ":count>1",
                             "p-0<1s",
                             "p-1<1s",
                             "created:p-0<1s",
                             "p99<-0ms",
                             "failed=-0"}) {
      CAPTURE(text);
      const Result<Expectation> expectation = parse_expectation(text);
      REQUIRE_FALSE(bool(expectation));
      CHECK(expectation.error().message.starts_with("expected a"));
    }
  }
}
