#include "base/ring.h"

#include <doctest/doctest.h>

#include <deque>
#include <random>

#include "death.h"

namespace stampede {
namespace {

TEST_SUITE("base/ring") {
  TEST_CASE("a line gives back what it was given and in that order") {
    const unsigned seed = std::random_device{}();
    INFO("seed " << seed);
    std::mt19937 random(seed);
    Ring<uint32_t> ring(7);
    std::deque<uint32_t> model;
    for (uint32_t step = 0; step < 20'000; ++step) {
      if (random() % 2 == 0 && !ring.is_full()) {
        ring.push() = step;
        model.push_back(step);
      } else if (!ring.empty()) {
        REQUIRE(ring.front() == model.front());
        for (uint32_t behind = 0; behind < model.size(); ++behind)
          REQUIRE(*ring.peek(behind) == model[behind]);
        REQUIRE(ring.peek(ring.size()) == nullptr);
        ring.pop();
        model.pop_front();
      }
      REQUIRE(ring.size() == model.size());
      REQUIRE(ring.empty() == model.empty());
      REQUIRE(ring.is_full() == (model.size() == 7));
    }
  }

  TEST_CASE("a line that runs empty starts over at its first cell") {
    Ring<int> ring(1'000);
    int* first = &ring.push();
    ring.pop();
    CHECK(&ring.push() == first);
  }

  TEST_CASE("pushing onto a full line and taking from an empty one are bugs") {
    CHECK(death_of([] {
            Ring<int> ring(1);
            ring.push() = 1;
            ring.push() = 2;
          }).signal == SIGABRT);
    CHECK(death_of([] { Ring<int>(1).front() = 1; }).signal == SIGABRT);
    CHECK(death_of([] { Ring<int>(1).pop(); }).signal == SIGABRT);
  }
}

}  // namespace
}  // namespace stampede
