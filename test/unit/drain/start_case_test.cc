#include "drain/start_case.h"

#include <doctest/doctest.h>

namespace {

using stampede::drain::LogExtent;
using stampede::drain::start_case;
using stampede::drain::StartCase;
using Position = stampede::orderlog::Position;

constexpr Position kEnd = {
    .segment = 5, .offset = 8192, .batch_seq = 41, .next_lsn = 101, .prev_chain = 0xc4a1};
constexpr LogExtent kWhole = {
    .has_beginning = true, .oldest_segment = 1, .end = kEnd, .durable = 100};
constexpr LogExtent kRecycled = {
    .has_beginning = false, .oldest_segment = 4, .end = kEnd, .durable = 100};

Position at(uint32_t segment, uint64_t next_lsn) {
  return {
      .segment = segment, .offset = 4096, .batch_seq = 7, .next_lsn = next_lsn, .prev_chain = 1};
}

}  // namespace

TEST_SUITE("drain/start_case") {
  TEST_CASE("an empty database begins at the beginning when that is still there") {
    CHECK(start_case({}, true, kWhole) == StartCase::beginning);
  }
  TEST_CASE("an empty database is rebuilt when the beginning is gone") {
    CHECK(start_case({}, true, kRecycled) == StartCase::rebuild);
  }
  TEST_CASE("a database that lacks what the streams were made of is an old copy") {
    CHECK(start_case({}, false, kRecycled) == StartCase::outdated);
    // Nothing was before the beginning, and a position decides by itself.
    CHECK(start_case({}, false, kWhole) == StartCase::beginning);
    for (const LogExtent& log : {kWhole, kRecycled})
      for (const uint64_t next_lsn : {1, 50, 70, 100, 101, 102})
        for (const uint32_t segment : {1, 3, 4, 5, 9})
          CHECK(start_case(at(segment, next_lsn), false, log) ==
                start_case(at(segment, next_lsn), true, log));
  }
  TEST_CASE("a database at the end of the log goes on there") {
    CHECK(start_case(kEnd, true, kWhole) == StartCase::resume);
    CHECK(start_case(kEnd, true, kRecycled) == StartCase::resume);
  }
  TEST_CASE("the same length with another chain is another log") {
    Position other = kEnd;
    other.prev_chain ^= 1;
    CHECK(start_case(other, true, kWhole) == StartCase::foreign);
  }
  TEST_CASE("a database behind the log goes on while its segment is kept") {
    CHECK(start_case(at(1, 1), true, kWhole) == StartCase::resume);
    CHECK(start_case(at(4, 70), true, kRecycled) == StartCase::resume);
    CHECK(start_case(at(5, 100), true, kRecycled) == StartCase::resume);
  }
  TEST_CASE("a database whose segment is gone is an old copy") {
    CHECK(start_case(at(3, 50), true, kRecycled) == StartCase::outdated);
  }
  TEST_CASE("a database at an end whose segment is gone by now is an old copy") {
    LogExtent grown = kRecycled;
    grown.durable = 900;
    grown.oldest_segment = kEnd.segment + 1;
    CHECK(start_case(kEnd, true, grown) == StartCase::outdated);
    Position other = kEnd;
    other.prev_chain ^= 1;
    CHECK(start_case(other, true, grown) == StartCase::foreign);
  }
  TEST_CASE("one record more than the log has is one too many") {
    CHECK(start_case(at(5, 102), true, kWhole) == StartCase::ahead);
    CHECK(start_case(at(9, 102), true, kRecycled) == StartCase::ahead);
  }
  TEST_CASE("a log that has grown since the start makes no database ahead of it") {
    LogExtent grown = kWhole;
    grown.durable = 150;
    CHECK(start_case(at(5, 151), true, grown) == StartCase::resume);
    CHECK(start_case(at(5, 152), true, grown) == StartCase::ahead);
  }
}
