#include "drain/ancestry.h"

#include "support.h"

namespace {

using namespace stampede;
using namespace stampede::drain;

StreamPosition position(uint32_t node, uint32_t generation, uint32_t shard) {
  return {.stream = {.node = node, .generation = generation, .shard = shard}, .position = {}};
}

Lineage lineage(uint32_t node, uint32_t generation, uint32_t shard_count) {
  return {.node = node, .generation = generation, .shard_count = shard_count, .ended = {}};
}

StreamPosition at(uint32_t generation, uint32_t shard, Lsn lsn, uint64_t chain = 7) {
  return {.stream = {.node = 0, .generation = generation, .shard = shard},
          .position = {.segment = 1, .next_lsn = lsn + 1, .prev_chain = chain}};
}

// Made of two streams, of which the second never had a record.
const Lineage kNext = {.node = 0, .generation = 2, .shard_count = 3, .ended = {{60, 7}, {0, 0}}};

}  // namespace

TEST_SUITE("drain/ancestry") {
  TEST_CASE("the streams of the directory and of its earlier generations are explained") {
    const std::vector<StreamPosition> positions = {position(0, 1, 0), position(0, 1, 7),
                                                   position(0, 2, 0), position(0, 2, 1)};
    CHECK_FALSE(unexplained_stream(positions, lineage(0, 2, 2)));
    CHECK_FALSE(unexplained_stream({}, lineage(0, 1, 1)));
  }
  TEST_CASE("a newer generation is not whatever its number of shards") {
    const auto found = unexplained_stream({position(0, 1, 0), position(0, 2, 0)}, lineage(0, 1, 4));
    REQUIRE(found);
    CHECK(found->generation == 2);
  }
  TEST_CASE("a shard that the manifest does not have is not") {
    const auto found = unexplained_stream({position(0, 2, 1), position(0, 2, 2)}, lineage(0, 2, 2));
    REQUIRE(found);
    CHECK(found->shard == 2);
    CHECK(describe_unexplained(*found, lineage(0, 2, 2)).find("shard 2 (node 0, generation 2)") !=
          std::string::npos);
  }
  TEST_CASE("streams of other nodes are their own") {
    CHECK_FALSE(unexplained_stream({position(1, 9, 9), position(3, 2, 0)}, lineage(0, 1, 1)));
    CHECK_FALSE(unexplained_stream({position(0, 9, 0)}, lineage(1, 1, 1)));
  }
  TEST_CASE("what the generation before never had is not explained") {
    CHECK_FALSE(unexplained_stream({at(1, 0, 60)}, kNext));
    CHECK_FALSE(unexplained_stream({at(1, 0, 59, 3), at(1, 1, 0, 0)}, kNext));
    for (const StreamPosition& wrong : {at(1, 0, 61), at(1, 0, 60, 3), at(1, 1, 1), at(1, 2, 0)}) {
      const auto found = unexplained_stream({at(2, 0, 5), wrong}, kNext);
      REQUIRE(found);
      CHECK(*found == wrong.stream);
      CHECK(describe_unexplained(*found, kNext).find("before its number of shards changed") !=
            std::string::npos);
    }
    // Nobody knows of earlier ones, nor of this one where its end was not noted.
    Lineage third = kNext;
    third.generation = 3;
    CHECK_FALSE(unexplained_stream({at(1, 0, 900)}, third));
    CHECK_FALSE(unexplained_stream({at(1, 0, 900)}, lineage(0, 2, 3)));
  }
  TEST_CASE("a database with the ends of the generation before has all of it") {
    CHECK(ancestry_of({}, kNext).is_whole);
    CHECK(ancestry_of({at(1, 0, 60)}, kNext).is_whole);
    CHECK(ancestry_of({at(1, 0, 60), at(2, 1, 4)}, kNext).is_whole);
    StreamPosition others = at(1, 0, 3);
    others.stream.node = 1;
    CHECK(ancestry_of({others}, kNext).is_whole);
    CHECK(ancestry_of({at(1, 0, 3)}, lineage(0, 1, 2)).is_whole);
  }
  TEST_CASE("a database with less of it is older until each present stream has a position") {
    const Ancestry older = ancestry_of({at(1, 0, 20)}, kNext);
    CHECK_FALSE(older.is_whole);
    CHECK(older.end == "record 20 of shard 0 (node 0, generation 1)");
    CHECK(older.lack.find("record 60") != std::string::npos);
    CHECK(older.shard_count == 2);
    CHECK_FALSE(ancestry_of({at(1, 1, 0, 0)}, kNext).is_whole);
    const Ancestry mixed = ancestry_of({at(1, 0, 20), at(2, 0, 5), at(2, 1, 5)}, kNext);
    CHECK_FALSE(mixed.is_whole);
    CHECK(mixed.shard_count == 0);
    CHECK(ancestry_of({at(1, 0, 20), at(2, 0, 5), at(2, 1, 5), at(2, 2, 5)}, kNext).is_whole);
  }
  TEST_CASE("a database of which nobody knows whether it is whole is older") {
    const Ancestry unnoted = ancestry_of({at(1, 0, 60)}, lineage(0, 2, 3));
    CHECK_FALSE(unnoted.is_whole);
    CHECK(unnoted.shard_count == 0);
    // Of a version that noted no ends: it drained all of them, and a present stream shows whose it is.
    CHECK(ancestry_of({at(1, 0, 60), at(2, 0, 5)}, lineage(0, 2, 3)).is_whole);
    Lineage third = kNext;
    third.generation = 3;
    for (const auto& positions :
         {std::vector{at(1, 0, 60)}, std::vector{at(1, 0, 60), at(3, 0, 5)}})
      CHECK_FALSE(ancestry_of(positions, third).is_whole);
  }
}
