#include "base/progress.h"

#include <doctest/doctest.h>

#include "base/words.h"

namespace stampede {
namespace {

TEST_SUITE("base/progress") {
  TEST_CASE("it tells of work only while there is some") {
    Progress progress;
    CHECK(!progress.look());
    progress.begin("reading", 200);
    progress.add(50);
    REQUIRE(progress.look());
    CHECK(progress.look()->percent == 25);
    CHECK(text_of(*progress.look()) == "reading: 25 %");
    progress.end();
    CHECK(!progress.look());
  }

  TEST_CASE("a total may grow and never less is left than nothing") {
    Progress progress;
    progress.begin("reading");
    CHECK(progress.look()->percent == 0);
    progress.grow(10);
    progress.grow(10);
    progress.add(5);
    CHECK(progress.look()->percent == 25);
    progress.add(100);
    CHECK(progress.look()->percent == 100);
    progress.begin("writing", 4);
    CHECK(progress.look()->percent == 0);
    progress.set_done(3);
    CHECK(progress.look()->percent == 75);
  }

  TEST_CASE("what is left is said in whole seconds") {
    CHECK(text_of({.what = "reading", .percent = 42.9, .seconds_left = 2.1}) ==
          "reading: 42 %, 3 s left");
  }
}

TEST_SUITE("base/words") {
  TEST_CASE("one of something has no s") {
    CHECK(counted(1, "item") == "1 item");
    CHECK(counted(0, "item") == "0 items");
    CHECK(counted(2, "item is", "items are") == "2 items are");
    CHECK(counted(1, "item is", "items are") == "1 item is");
  }
}

}  // namespace
}  // namespace stampede
