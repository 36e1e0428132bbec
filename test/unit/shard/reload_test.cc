// Who asked for a reload, and what is on its way from its reader to shard 0.
#include "shard/reload.h"

#include <doctest/doctest.h>

#include "bounds.h"

namespace stampede::shard {
namespace {

TEST_SUITE("shard/reload") {
  TEST_CASE("the names of those who ask are listed each once") {
    CHECK(names_of({}).empty());
    CHECK(names_of({"alice"}) == "alice");
    CHECK(names_of({"bob", "alice", "bob"}) == "alice, bob");
  }

  TEST_CASE("names for which there is no room are counted and as many as fit are told") {
    std::vector<std::string> askers;
    for (char letter = 'a'; letter < 'a' + 20; ++letter) askers.emplace_back(20, letter);
    for (size_t count = 1; count <= askers.size(); ++count) {
      const std::string names = names_of({askers.begin(), askers.begin() + count});
      CHECK(names.size() <= bounds::admin_text_bytes_max);
      CHECK(names.starts_with(askers[0]));
      CHECK((names.find(" and ") == names.npos) == (count <= 9));
    }
    const std::string names = names_of(askers);
    CHECK(names.ends_with(std::string(20, 'h') + " and 12 others"));
  }

  TEST_CASE("one that is not told is one other") {
    CHECK(names_of({std::string(180, 'a'), std::string(20, 'b')}) ==
          std::string(180, 'a') + " and 1 other");
  }

  TEST_CASE("names of which not one fits are only counted") {
    const std::string longest(bounds::admin_text_bytes_max, 'a');
    CHECK(names_of({longest}) == longest);
    CHECK(names_of({longest, "b"}) == "2 operators");
  }
}

}  // namespace
}  // namespace stampede::shard
