#include "drain/comparison.h"

#include "support.h"

namespace {

using namespace stampede;
using namespace stampede::drain;

StreamPosition position(uint32_t node, uint32_t generation, uint32_t shard) {
  return {.stream = {.node = node, .generation = generation, .shard = shard}, .position = {}};
}

}  // namespace

TEST_SUITE("drain/comparison") {
  TEST_CASE("the streams of the directory and of its earlier generations are explained") {
    const std::vector<StreamPosition> positions = {position(0, 1, 0), position(0, 1, 7),
                                                   position(0, 2, 0), position(0, 2, 1)};
    CHECK_FALSE(unexplained_stream(positions, 0, 2, 2));
    CHECK_FALSE(unexplained_stream({}, 0, 1, 1));
  }
  TEST_CASE("a newer generation is not whatever its number of shards") {
    const auto found = unexplained_stream({position(0, 1, 0), position(0, 2, 0)}, 0, 1, 4);
    REQUIRE(found);
    CHECK(found->generation == 2);
  }
  TEST_CASE("a shard that the manifest does not have is not") {
    const auto found = unexplained_stream({position(0, 2, 1), position(0, 2, 2)}, 0, 2, 2);
    REQUIRE(found);
    CHECK(found->shard == 2);
    CHECK(describe_unexplained(*found, 2, 2).find("shard 2 (node 0, generation 2)") !=
          std::string::npos);
  }
  TEST_CASE("streams of other nodes are their own") {
    CHECK_FALSE(unexplained_stream({position(1, 9, 9), position(3, 2, 0)}, 0, 1, 1));
    CHECK_FALSE(unexplained_stream({position(0, 9, 0)}, 1, 1, 1));
  }
}
