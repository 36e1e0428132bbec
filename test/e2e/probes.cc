// Probes (src/base/probe.h): the binary has those that the tools and the documents name.
#include <doctest/doctest.h>

#include <regex>
#include <set>
#include <sstream>

#include "harness/server.h"

namespace stampede::e2e {
namespace {

Finished list_probes(const std::string& binary) {
  return run({"python3", source_path("perf/probes"), "list", binary});
}

// The first word of each line.
std::set<std::string> names_of(const std::string& list) {
  std::set<std::string> names;
  std::istringstream lines(list);
  for (std::string line; std::getline(lines, line);) names.insert(line.substr(0, line.find(' ')));
  return names;
}

TEST_SUITE("e2e/probes") {
  TEST_CASE("the binary has exactly the probes that perf/probes knows") {
    const Finished listed = list_probes(stampede_path());
    CAPTURE(listed.err);
    CHECK(listed.exit_code == 0);
    CHECK(names_of(listed.out).size() == 15);
  }

  TEST_CASE("the binary of the package keeps its probes though it is stripped") {
    Scratch scratch;
    const std::string stripped = scratch.path("stampede");
    REQUIRE(run({"strip", "--strip-unneeded", "-o", stripped, stampede_path()}).exit_code == 0);
    CHECK(list_probes(stripped).out == list_probes(stampede_path()).out);
  }

  TEST_CASE("OPERATE.md has a line for each probe") {
    const std::string operate = read_file(source_path("OPERATE.md"));
    for (const std::string& name : names_of(list_probes(stampede_path()).out)) {
      CAPTURE(name);
      CHECK(operate.find("\n| `" + name + "` |") != std::string::npos);
    }
  }

  TEST_CASE("the scripts for bpftrace attach to probes that there are") {
    const std::set<std::string> names = names_of(list_probes(stampede_path()).out);
    for (const std::string script : {"stages", "slow", "order"}) {
      const std::string text = read_file(source_path("perf/trace/" + script + ".bt"));
      const std::regex probe("usdt:\\*:stampede:(\\w+)");
      for (auto at = std::sregex_iterator(text.begin(), text.end(), probe);
           at != std::sregex_iterator(); ++at) {
        CAPTURE((*at)[1].str());
        CHECK(names.contains((*at)[1].str()));
      }
    }
  }
}

}  // namespace
}  // namespace stampede::e2e
