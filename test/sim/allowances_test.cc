// What the door's limits are held against.
#include "allowances.h"

#include "base/clock.h"

#include <doctest/doctest.h>  // last: its CHECK is the one that tests mean

namespace stampede::sim {
namespace {

constexpr int64_t ms(int64_t count) {
  return count * kMillisecond;
}

}  // namespace

TEST_SUITE("sim/allowances") {
  TEST_CASE("two windows may touch a short stretch and a third may not") {
    Allowance two_in_a_second(door::Rate{.requests = 2, .window_ms = 1'000});
    for (int64_t i = 0; i < 4; ++i) CHECK(two_in_a_second.pass(ms(900 + i), ms(901 + i)));
    CHECK(!two_in_a_second.pass(ms(910), ms(911)));
  }

  TEST_CASE("what was sent long before may have passed then") {
    Allowance two_in_a_second(door::Rate{.requests = 2, .window_ms = 1'000});
    for (int64_t i = 0; i < 4; ++i) CHECK(two_in_a_second.pass(ms(5'000 + i), ms(5'010)));
    CHECK(two_in_a_second.pass(ms(100), ms(5'011)));
    CHECK(two_in_a_second.pass(ms(6'000), ms(6'010)));
  }

  TEST_CASE("a bucket lets pass what it holds and what comes meanwhile") {
    Allowance ten_a_second(10U);
    CHECK(ten_a_second.pass(ms(0), ms(1)));
    CHECK(ten_a_second.pass(ms(0), ms(1)));
    CHECK(!ten_a_second.pass(ms(1), ms(2)));
    Allowance later(10U);
    for (int64_t i = 0; i < 20; ++i) CHECK(later.pass(ms(100 * i), ms(100 * i + 1)));
  }

  TEST_CASE("nobody is refused before he has asked so often") {
    Allowance two_in_a_second(door::Rate{.requests = 2, .window_ms = 1'000});
    for (const int64_t sent : {0, 100}) {
      two_in_a_second.note_sent(ms(sent));
      two_in_a_second.note_answer(ms(sent), ms(sent + 10));
    }
    two_in_a_second.note_sent(ms(200));
    CHECK(two_in_a_second.may_refuse(ms(200), ms(210)));
    two_in_a_second.note_answer(ms(200), ms(210));
    two_in_a_second.note_sent(ms(1'300));
    CHECK(!two_in_a_second.may_refuse(ms(1'300), ms(1'310)));
  }

  TEST_CASE("what was never answered may be counted at any time") {
    Allowance one_in_a_second(door::Rate{.requests = 1, .window_ms = 1'000});
    one_in_a_second.note_sent(ms(0));
    one_in_a_second.note_sent(ms(9'000));
    CHECK(one_in_a_second.may_refuse(ms(9'000), ms(9'010)));
  }

  TEST_CASE("a limit that there is not refuses nobody") {
    const door::Limits none;
    History history;
    Allowances allowances(none, history);
    const Allowances::Who who{.name = "ann"};
    allowances.note_sent(who, 1);
    allowances.note_pass(who, 1, 2);
    CHECK(history.broken_promises().empty());
    allowances.note_refusal(who, 1, 2);
    CHECK(!history.broken_promises().empty());
  }
}

}  // namespace stampede::sim
