// `stampede load` that is interrupted is a part of a run: it has figures, and shows nothing that a whole one would.
#include <doctest/doctest.h>
#include <unistd.h>

#include <csignal>

#include "harness/server.h"

namespace stampede::e2e {
namespace {

using std::chrono::seconds;

// An hour of orders.
Arguments long_load(const Server& server) {
  return {stampede_path(), "load", "--url", server.url(), "--rate", "10", "--users", "36000"};
}

// As long as a machine may need; the event itself is what is awaited.
bool comes(const std::function<bool()>& has_come) {
  for (int turns = 0; turns < 3'000; ++turns, usleep(10'000))
    if (has_come()) return true;
  return false;
}

TEST_SUITE("e2e/interrupted_load") {
  TEST_CASE("what was expected of a whole run is not reached by a part of it") {
    Server server({.catalog = catalog({{.stock = 100'000}})});
    Arguments command = long_load(server);
    const std::string errors = server.scratch().path("errors"),
                      json = server.scratch().path("report.json");
    command.insert(command.end(), {"--expect", "failed=0", "--expect", "unsent=0", "--json", json});
    Process load(command, errors);
    REQUIRE(comes([&] { return server.books().reserved > 0; }));
    load.signal(SIGTERM);
    CHECK(load.wait(seconds{30}) == 1);
    CHECK(read_file(errors).find("interrupted: no expectation was judged") != std::string::npos);
    CHECK(Json::parse(read_file(json))["users"]["sold"].number() > 0);
  }

  TEST_CASE("a run that never began has no seconds and no work") {
    Server server({.catalog = catalog({{}})});
    Arguments command = long_load(server);
    const std::string errors = server.scratch().path("errors"),
                      series = server.scratch().path("series.csv"),
                      hdr = server.scratch().path("latencies.hlog"),
                      json = server.scratch().path("report.json");
    command.insert(command.end(), {"--at", time_text(3'600), "--progress", "--series", series,
                                   "--hdr", hdr, "--json", json});
    Process load(command, errors);
    REQUIRE(comes([&] { return read_file(errors).find("begins in") != std::string::npos; }));
    load.signal(SIGTERM);
    CHECK(load.wait(seconds{30}) == 0);
    const std::string lines = read_file(series);
    CHECK(lines.find('\n') == lines.size() - 1);  // the heading alone
    CHECK(read_file(hdr).empty());
    const Json report = Json::parse(read_file(json));
    CHECK(report["seconds_of_run"].size() == 0);
    CHECK(report["generator"]["is_the_limit"].truth() == false);
    CHECK(read_file(errors).find("left") == std::string::npos);
  }
}

}  // namespace
}  // namespace stampede::e2e
