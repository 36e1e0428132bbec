// perf/report makes a page of what the scripts of perf/ have measured.
#include <doctest/doctest.h>

#include <filesystem>

#include "harness/server.h"

namespace stampede::e2e {
namespace {

constexpr const char* kQuiet = R"({"others": 0.02, "steal": 0, "load_average": 0.3})";
constexpr const char* kBusy = R"({"others": 1.31, "steal": 0.2, "load_average": 7.5})";

// A folder as perf/report leaves it when only recovery was measured.
void write_folder(const Scratch& scratch, const std::string& records_per_s,
                  const std::string& neighbours, const std::string& doubts) {
  const std::string runs =
      R"({"records": 100, "recovered_s": 1, "ready_s": 2, "cpu_s": 1, "records_per_s": )" +
      records_per_s + R"(, "neighbours": )" + neighbours + "}";
  write_file(scratch.path("recovery.json"),
             R"({"machine": {"cpu": "a <fast> one"}, "medians": {"records_per_s": )" +
                 records_per_s + R"(, "ready_s_of_a_gib": null}, "runs": [)" + runs + "]}");
  write_file(scratch.path("recovery.txt"), "what recovery printed\n");
  write_file(scratch.path("report.json"),
             R"({"commit": "0123456789abcdef", "date": "2026-12-01 10:00 UTC", "quick": false,)"
             R"( "failed": {"ledger": "no Redis"}, "doubts": [)" +
                 doubts + "]}");
}

Finished draw(const Scratch& scratch) {
  return run({"python3", source_path("perf/report"), "--page", scratch.path()});
}

TEST_SUITE("e2e/report") {
  TEST_CASE("a page has each goal beside what was measured") {
    Scratch scratch;
    write_folder(scratch, "2500000", kQuiet, "");
    const Finished drawn = draw(scratch);
    CAPTURE(drawn.err);
    REQUIRE(drawn.exit_code == 0);
    CHECK(drawn.out.find("1 goals met, 0 missed") != std::string::npos);
    const std::string page = read_file(scratch.path("report.html"));
    CHECK(page.find("≥ 2,000,000 records/s") != std::string::npos);
    CHECK(page.find("2,500,000 records/s") != std::string::npos);
    CHECK(page.find("a &lt;fast&gt; one") != std::string::npos);
    CHECK(page.find("Not measured: ledger: no Redis") != std::string::npos);
    CHECK(page.find("Neighbours disturbed") == std::string::npos);
    CHECK(read_file(scratch.path("report.txt")).find("what recovery printed") != std::string::npos);
  }

  TEST_CASE("a page needs nothing from a network") {
    Scratch scratch;
    write_folder(scratch, "2500000", kQuiet, "");
    REQUIRE(draw(scratch).exit_code == 0);
    const std::string page = read_file(scratch.path("report.html"));
    for (const std::string outside : {"http:", "https:", "src=\"/", "href=", "@import", "url("})
      CHECK(page.find(outside) == std::string::npos);
  }

  TEST_CASE("a missed goal and a neighbour and a changed tree are said") {
    Scratch scratch;
    write_folder(scratch, "900000", kBusy, R"("the tree has changes: src/order.h")");
    REQUIRE(draw(scratch).exit_code == 0);
    for (const std::string name : {"report.txt", "report.html"}) {
      const std::string text = read_file(scratch.path(name));
      CAPTURE(name);
      CHECK(text.find("Not of one commit: the tree has changes: src/order.h") != std::string::npos);
      CHECK(text.find("Neighbours disturbed 1 of 1 measurements: they took up to 1.51 CPUs") !=
            std::string::npos);
      CHECK(text.find("~1.51") != std::string::npos);
    }
    CHECK(read_file(scratch.path("report.txt")).find("MISSED") != std::string::npos);
  }

  TEST_CASE("a folder that is none of perf/report is refused") {
    Scratch scratch;
    const Finished drawn = draw(scratch);
    CHECK(drawn.exit_code == 1);
    CHECK(drawn.err.find("it is no folder of perf/report") != std::string::npos);
  }

  TEST_CASE("a tree with changes or a binary of another commit is not measured") {
    Scratch scratch;
    // A checkout of its own, whose only file is not committed.
    std::filesystem::copy(source_path("perf"), scratch.path("perf"),
                          std::filesystem::copy_options::recursive);
    REQUIRE(run({"git", "-C", scratch.path(), "init", "-q"}).exit_code == 0);
    const Finished measured = run({"python3", scratch.path("perf/report"), "--build",
                                   std::filesystem::path(stampede_path()).parent_path().string(),
                                   "--results", scratch.path("results")});
    CAPTURE(measured.err);
    CHECK(measured.exit_code == 1);
    CHECK(measured.err.find("--allow-dirty") != std::string::npos);
    CHECK_FALSE(std::filesystem::exists(scratch.path("results")));
  }
}

}  // namespace
}  // namespace stampede::e2e
