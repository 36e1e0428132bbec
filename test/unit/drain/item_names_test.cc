#include "drain/item_names.h"

#include <doctest/doctest.h>

#include <thread>

using stampede::drain::ItemNames;

TEST_SUITE("drain/item_names") {
  TEST_CASE("an item that nobody has named has no code") {
    ItemNames names;
    CHECK(names.code(0).empty());
    names.set(3, "ticket");
    CHECK(names.code(2).empty());
    CHECK(names.code(3) == "ticket");
    CHECK(names.code(4).empty());
  }

  TEST_CASE("a code that was handed out stays where it is while a thousand more arrive") {
    ItemNames names;
    names.set(0, "first");
    const std::string_view first = names.code(0);
    std::thread other([&] {
      for (uint32_t item = 1; item <= 1000; ++item) names.set(item, "item-" + std::to_string(item));
    });
    while (names.code(1000).empty()) std::this_thread::yield();
    other.join();
    CHECK(first == "first");
    CHECK(names.code(0).data() == first.data());
    CHECK(names.code(517) == "item-517");
  }

  TEST_CASE("setting the same code again changes nothing") {
    ItemNames names;
    names.set(1, "ticket");
    names.set(1, "ticket");
    CHECK(names.code(1) == "ticket");
  }
}
