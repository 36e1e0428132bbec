// perf/flamegraph draws what perf/profile has folded.
#include <doctest/doctest.h>

#include "harness/server.h"

namespace stampede::e2e {
namespace {

Finished draw(const std::string& stacks) {
  Scratch scratch;
  write_file(scratch.path("stacks"), stacks);
  return run({"python3", source_path("perf/flamegraph"), scratch.path("stacks")});
}

TEST_SUITE("e2e/flame_graph") {
  TEST_CASE("a picture has a box for each function with its share of the samples") {
    const Finished drawn = draw("run;tick;std::vector<int>::push_back 3\nrun;tick;flush 1\n");
    REQUIRE(drawn.exit_code == 0);
    CHECK(drawn.out.find("std::vector&lt;int&gt;::push_back: 3 of 4 samples, 75.00 %") !=
          std::string::npos);
    CHECK(drawn.out.find("tick: 4 of 4 samples, 100.00 %") != std::string::npos);
    Scratch scratch;
    write_file(scratch.path("svg"), drawn.out);
    CHECK(run({"python3", "-c", "import sys, xml.dom.minidom; xml.dom.minidom.parse(sys.argv[1])",
               scratch.path("svg")})
              .exit_code == 0);
  }

  TEST_CASE("what is no folded stack is refused with its line") {
    const Finished drawn = draw("run;tick 4\nnonsense\n");
    CHECK(drawn.exit_code == 1);
    CHECK(drawn.err == "flamegraph: line 2 is no stack with a count: nonsense\n");
    CHECK(draw("").exit_code == 1);
  }
}

}  // namespace
}  // namespace stampede::e2e
