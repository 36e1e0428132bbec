#include "base/slab.h"

#include <doctest/doctest.h>

#include <random>
#include <set>
#include <vector>

#include "death.h"

namespace stampede {
namespace {

struct Cell {
  uint64_t owner;
};

TEST_SUITE("base/slab") {
  TEST_CASE("a slab hands out as many cells as it has and then none") {
    Slab<Cell> slab(3);
    std::set<uint32_t> cells = {slab.allocate(), slab.allocate(), slab.allocate()};
    CHECK(cells == std::set<uint32_t>{0, 1, 2});
    CHECK(slab.is_full());
    CHECK(slab.allocate() == kNone);
    CHECK(slab.used() == 3);
  }

  TEST_CASE("the cell that was freed last is handed out first") {
    Slab<Cell> slab(3);
    const uint32_t first = slab.allocate(), second = slab.allocate();
    slab.release(first);
    slab.release(second);
    CHECK(slab.allocate() == second);
    CHECK(slab.allocate() == first);
    CHECK(slab.touched() == 2);
  }

  TEST_CASE("no cell ever has two owners and no owner's bytes change") {
    const unsigned seed = std::random_device{}();
    INFO("seed " << seed);
    std::mt19937 random(seed);
    Slab<Cell> slab(64);
    std::vector<std::pair<uint32_t, uint64_t>> held;
    for (uint64_t step = 0; step < 20'000; ++step) {
      if (random() % 2 == 0) {
        const uint32_t index = slab.allocate();
        REQUIRE((index == kNone) == (held.size() == 64));
        if (index == kNone) continue;
        slab[index].owner = step;
        held.emplace_back(index, step);
      } else if (!held.empty()) {
        std::swap(held[random() % held.size()], held.back());
        REQUIRE(slab[held.back().first].owner == held.back().second);
        slab.release(held.back().first);
        held.pop_back();
      }
      REQUIRE(slab.used() == held.size());
    }
    for (const auto& [index, owner] : held) REQUIRE(slab[index].owner == owner);
  }

  TEST_CASE("a cell beyond the end and one release too many are bugs") {
    CHECK(death_of([] { Slab<Cell>(3)[3].owner = 1; }).signal == SIGABRT);
    CHECK(death_of([] { Slab<Cell>(3).release(0); }).signal == SIGABRT);
  }
}

}  // namespace
}  // namespace stampede
