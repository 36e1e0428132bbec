// Which orders a log may lose when a place of it is damaged.
#include "books.h"

#include <doctest/doctest.h>  // last: its CHECK is the one that tests mean

namespace stampede::sim {

TEST_SUITE("sim/books") {
  TEST_CASE(
      "behind a damaged place lie the batch that holds it and those that follow in its stream") {
    const LogContents log{.states = {},
                          .streams = {{{.path = "s0/1", .end = 100, .orders = {1}},
                                       {.path = "s0/1", .end = 200, .orders = {2, 1}},
                                       {.path = "s0/2", .end = 100, .orders = {3}}},
                                      {{.path = "s1/1", .end = 100, .orders = {4}}}}};
    CHECK(log.orders_behind("s0/1", 99) == std::vector<uint64_t>{1, 2, 1, 3});
    CHECK(log.orders_behind("s0/1", 100) == std::vector<uint64_t>{2, 1, 3});
    CHECK(log.orders_behind("s0/1", 200).empty());
    CHECK(log.orders_behind("s0/2", 0) == std::vector<uint64_t>{3});
    CHECK(log.orders_behind("s1/1", 0) == std::vector<uint64_t>{4});
  }
}

}  // namespace stampede::sim
