// Counts of addresses: exact, shared by all shards, bounded, and never another address's.
#include "door/address_table.h"

#include <doctest/doctest.h>

#include <latch>
#include <thread>
#include <vector>

#include "base/clock.h"

namespace stampede::door {
namespace {

constexpr int64_t kNow = 1'000'000 * kSecond;
constexpr uint64_t kSecret = 0x5eed;
using Admission = AddressTable::Admission;

constexpr Rate kRate{.requests = 3, .window_ms = 1'000};

uint32_t passed(AddressTable& table, AddressGroup group, const Rate& rate, int64_t ns,
                uint32_t times) {
  uint32_t count = 0;
  for (; times > 0; --times) count += table.count_request(group, rate, ns) == 0;
  return count;
}

TEST_SUITE("door/address_table") {
  TEST_CASE("an address has its allowance in each window and is told when the next one begins") {
    AddressTable table(kSecret);
    CHECK(passed(table, 7, kRate, kNow, 3) == 3);
    const uint32_t wait_ms = table.count_request(7, kRate, kNow);
    CHECK(wait_ms >= 1);
    CHECK(wait_ms <= 1'000);
    CHECK(table.count_request(7, kRate, kNow + (wait_ms - 1) * kMillisecond) == 1);
    CHECK(passed(table, 7, kRate, kNow + wait_ms * kMillisecond, 5) == 3);
  }

  TEST_CASE("another address is never refused for it") {
    AddressTable table(kSecret);
    passed(table, 7, kRate, kNow, 100);
    for (AddressGroup other = 8; other < 10'000; ++other)
      REQUIRE(table.count_request(other, kRate, kNow) == 0);
  }

  TEST_CASE("a window begins with the first request and not at a moment of the clock") {
    AddressTable table(kSecret);
    for (int64_t began_ms = 0; began_ms < 2'000; began_ms += 7) {
      const AddressGroup group = 1 + static_cast<AddressGroup>(began_ms);
      const int64_t began = kNow + began_ms * kMillisecond;
      CHECK(passed(table, group, kRate, began, 1) == 1);
      CHECK(passed(table, group, kRate, began + 999 * kMillisecond, 5) == 2);
      CHECK(table.count_request(group, kRate, began + 999 * kMillisecond) == 1);
      CHECK(passed(table, group, kRate, began + kSecond, 5) == 3);
    }
  }

  TEST_CASE("no rate and no address are no limit") {
    AddressTable table(kSecret);
    CHECK(passed(table, 7, Rate{}, kNow, 100) == 100);
    CHECK(passed(table, kNoGroup, kRate, kNow, 100) == 100);
    CHECK(table.known() == 0);
  }

  TEST_CASE("a shard whose clock is behind counts in the same window and empties no count") {
    AddressTable table(kSecret);
    CHECK(passed(table, 7, kRate, kNow, 3) == 3);
    CHECK(table.count_request(7, kRate, kNow - kMillisecond) == 1'001);
    CHECK(table.count_request(7, kRate, kNow) == 1'000);
  }

  TEST_CASE("a limit that is changed holds at once") {
    AddressTable table(kSecret);
    CHECK(passed(table, 7, kRate, kNow, 3) == 3);
    CHECK(passed(table, 7, {.requests = 5, .window_ms = 1'000}, kNow, 9) == 2);
    CHECK(table.count_request(7, {.requests = 1, .window_ms = 1'000}, kNow) == 1'000);
    // Another length moves the end of the window that runs.
    CHECK(table.count_request(7, {.requests = 5, .window_ms = 60'000}, kNow) == 60'000);
    CHECK(passed(table, 7, {.requests = 5, .window_ms = 50}, kNow + 50 * kMillisecond, 9) == 5);
  }

  TEST_CASE("shards that count the same addresses at once give each exactly its allowance") {
    AddressTable table(kSecret, 1 << 4);
    constexpr uint32_t kAllowed = 400'000;
    const Rate rate{.requests = kAllowed, .window_ms = 86'400'000};
    for (AddressGroup group = 1; group <= 4; ++group)
      CHECK(table.count_request(group, rate, kNow) == 0);
    std::atomic<uint32_t> within{0};
    std::latch all_are_there{4};  // or the first has ended before the last begins
    std::vector<std::thread> shards;
    for (int i = 0; i < 4; ++i)
      shards.emplace_back([&] {
        all_are_there.arrive_and_wait();
        uint32_t own = 0;
        for (uint32_t turn = 0; turn < 2 * kAllowed; ++turn)
          own += table.count_request(1 + turn % 4, rate, kNow) == 0;
        within += own;
      });
    for (std::thread& shard : shards) shard.join();
    CHECK(within == 4 * (kAllowed - 1));
  }

  TEST_CASE(
      "of ten million addresses the memory stays the same and those at their limit stay refused") {
    AddressTable table(kSecret);
    const Rate rate{.requests = 5, .window_ms = 3'600'000};
    for (AddressGroup bad = 1; bad <= 100; ++bad) CHECK(passed(table, bad, rate, kNow, 9) == 5);
    for (AddressGroup other = 1'000; other < 10'001'000; ++other)
      if (table.count_request(other, rate, kNow) != 0) FAIL("an honest address was refused");
    for (AddressGroup bad = 1; bad <= 100; ++bad) CHECK(table.count_request(bad, rate, kNow) > 0);
    CHECK(table.known_max() == 4'194'304);
    CHECK(table.known() <= table.known_max());
    CHECK(table.forgotten() == 100 + 10'000'000 - table.known());
  }

  TEST_CASE("a newcomer takes the place of a window that is over before that of one who asks now") {
    AddressTable table(kSecret, 1);
    const Rate rate{.requests = 5, .window_ms = 1'000};
    for (AddressGroup old = 1; old <= 8; ++old) passed(table, old, rate, kNow, 5);
    const int64_t later = kNow + 10 * kSecond;
    for (AddressGroup young = 11; young <= 18; ++young)
      CHECK(table.count_request(young, rate, later) == 0);
    CHECK(table.forgotten() == 0);
    for (AddressGroup young = 11; young <= 18; ++young)
      CHECK(passed(table, young, rate, later, 9) == 4);
    // Now all are current, and the one that has asked least must go.
    passed(table, 99, rate, later, 1);
    CHECK(table.forgotten() == 1);
  }

  TEST_CASE("connections of one address have a number and a place that is given back is free") {
    AddressTable table(kSecret);
    CHECK(table.take_connection(7, 2) == Admission::counted);
    CHECK(table.take_connection(7, 2) == Admission::counted);
    CHECK(table.take_connection(7, 2) == Admission::refused);
    CHECK(table.take_connection(8, 2) == Admission::counted);
    table.give_connection(7);
    CHECK(table.take_connection(7, 2) == Admission::counted);
    CHECK(table.take_connection(7, 2) == Admission::refused);
    CHECK(table.take_connection(7, 3) == Admission::counted);
    CHECK(table.take_connection(kNoGroup, 1) == Admission::uncounted);
    CHECK(table.take_connection(9, 0) == Admission::uncounted);
  }

  TEST_CASE(
      "connections that are open are never forgotten and a ninth address comes in uncounted") {
    AddressTable table(kSecret, 1, 1);
    for (AddressGroup group = 1; group <= 8; ++group)
      CHECK(table.take_connection(group, 1) == Admission::counted);
    CHECK(table.take_connection(9, 1) == Admission::uncounted);
    for (AddressGroup group = 1; group <= 8; ++group)
      CHECK(table.take_connection(group, 1) == Admission::refused);
    table.give_connection(3);
    CHECK(table.take_connection(9, 1) == Admission::counted);
  }

  TEST_CASE("connections that open and close on all shards at once leave nothing behind") {
    AddressTable table(kSecret, 1, 1);
    std::vector<std::thread> shards;
    for (int i = 0; i < 4; ++i)
      shards.emplace_back([&, i] {
        for (int turn = 0; turn < 20'000; ++turn) {
          const AddressGroup group = 1 + (turn + i) % 5;
          if (table.take_connection(group, 2) == Admission::counted) table.give_connection(group);
        }
      });
    for (std::thread& shard : shards) shard.join();
    for (AddressGroup group = 11; group <= 18; ++group)
      CHECK(table.take_connection(group, 1) == Admission::counted);
  }
}

}  // namespace
}  // namespace stampede::door
