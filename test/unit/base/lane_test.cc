#include "base/lane.h"

#include <doctest/doctest.h>

#include <thread>

namespace stampede {
namespace {

TEST_SUITE("base/lane") {
  TEST_CASE("a full lane says so and loses nothing") {
    Lane<int> lane(2);
    CHECK_FALSE(lane.has_some());
    CHECK(lane.room() == 2);
    CHECK(lane.push(1));
    CHECK(lane.push(2));
    CHECK_FALSE(lane.push(3));
    CHECK(lane.room() == 0);
    int sum = 0;
    CHECK(lane.take(10, [&](int value) { sum += value; }) == 2);
    CHECK(sum == 3);
    CHECK_FALSE(lane.has_some());
  }

  TEST_CASE("no more is taken than was asked for") {
    Lane<int> lane(8);
    for (int i = 0; i < 5; ++i) REQUIRE(lane.push(i));
    int last = -1;
    const auto keep = [&](int value) { last = value; };
    CHECK(lane.take(3, keep) == 3);
    CHECK(last == 2);
    CHECK(lane.take(0, keep) == 0);
    CHECK(lane.take(3, keep) == 2);
    CHECK(last == 4);
  }

  TEST_CASE("two threads pass every value once and in order") {
    constexpr uint64_t kCount = 200'000;
    Lane<uint64_t> lane(64);
    std::thread producer([&] {
      for (uint64_t value = 0; value < kCount;)
        if (lane.push(value))
          ++value;
        else
          std::this_thread::yield();
    });
    uint64_t next = 0;
    bool is_in_order = true;
    while (next < kCount)
      if (lane.take(16, [&](uint64_t value) { is_in_order &= value == next++; }) == 0)
        std::this_thread::yield();
    producer.join();
    CHECK(is_in_order);
    CHECK_FALSE(lane.has_some());
  }
}

}  // namespace
}  // namespace stampede
