#include "shard/turns.h"

#include <thread>

#include "../../world/fake_clock.h"
#include "../../world/world.h"
#include "shard/turns_text.h"

// Behind the headers of the server, whose CHECK means the other thing.
#include <doctest/doctest.h>

namespace stampede::shard {
namespace {

constexpr int64_t kMs = kMillisecond;

// One number in every word, so that half of another turn is seen.
Turn all_of(uint64_t number) {
  Turn turn{.number = number, .ended_boot_ns = number, .requests = number, .records = number};
  turn.phase_ns.fill(number);
  return turn;
}

bool is_whole(const Turn& turn) {
  return turn.ended_boot_ns == turn.number && turn.requests == turn.number &&
         turn.records == turn.number &&
         std::ranges::all_of(turn.phase_ns, [&](uint64_t ns) { return ns == turn.number; });
}

struct Rig {
  world::FakeClock clock;
  Turns turns;
  TurnTimer timer{clock, turns, 10 * kMs};

  // A turn with one phase of so many milliseconds.
  void turn(TurnPhase phase, int64_t ms) {
    timer.enter(phase);
    clock.advance(ms * kMs);
    timer.end(0, 0);
  }
};

}  // namespace

TEST_SUITE("shard/turns") {
  TEST_CASE("a ring keeps the last turns") {
    TurnRing<4> ring;
    CHECK(ring.read().empty());
    for (uint64_t number = 1; number <= 6; ++number) {
      ring.push(all_of(number));
      const std::vector<Turn> turns = ring.read();
      REQUIRE(turns.size() == std::min<uint64_t>(number, 4));
      CHECK(turns.back().number == number);
      CHECK(turns.front().number == number + 1 - turns.size());
    }
    CHECK(ring.read(5).size() == 1);
    CHECK(ring.read(6).empty());
  }

  TEST_CASE("whoever reads while turns are written sees whole ones in their order") {
    const auto ring = std::make_unique<TurnRing<4>>();
    std::atomic<bool> is_over{false};
    std::thread writer([&] {
      for (uint64_t number = 1; number <= 100'000; ++number) ring->push(all_of(number));
      is_over = true;
    });
    uint64_t reads = 0;
    while (!is_over || reads == 0) {
      uint64_t last = 0;
      for (const Turn& turn : ring->read()) {
        REQUIRE(is_whole(turn));
        REQUIRE((last == 0 || turn.number == last + 1));
        last = turn.number;
      }
      ++reads;
    }
    writer.join();
  }

  TEST_CASE("time belongs to the phase that was entered last") {
    Rig rig;
    rig.clock.advance(7 * kMs);
    rig.timer.enter(TurnPhase::requests);
    rig.clock.advance(2 * kMs);
    rig.timer.enter(TurnPhase::log);
    rig.clock.advance(3 * kMs);
    rig.timer.end(5, 4);
    const std::vector<Turn> turns = rig.turns.last.read();
    REQUIRE(turns.size() == 1);
    CHECK(turns[0].number == 1);
    CHECK(turns[0].of(TurnPhase::poll) == 7 * kMs);
    CHECK(turns[0].of(TurnPhase::requests) == 2 * kMs);
    CHECK(turns[0].of(TurnPhase::log) == 3 * kMs);
    CHECK(turns[0].work_ns() == 5 * kMs);
    CHECK(turns[0].requests == 5);
    CHECK(turns[0].records == 4);
    CHECK(rig.turns.work_ns.count() == 1);
    CHECK(rig.turns.phase_ns[static_cast<unsigned>(TurnPhase::log)].get() == 3 * kMs);
  }

  TEST_CASE("a turn has what came in it and not what came before") {
    Rig rig;
    rig.timer.end(5, 4);
    rig.timer.end(7, 4);
    CHECK(rig.turns.last.read().back().requests == 2);
    CHECK(rig.turns.last.read().back().records == 0);
  }

  TEST_CASE("only turns with more work than the threshold are slow and sleep is no work") {
    Rig rig;
    rig.clock.advance(1'000 * kMs);
    rig.turn(TurnPhase::log, 10);
    CHECK(rig.turns.slow.count() == 0);
    rig.turn(TurnPhase::log, 11);
    REQUIRE(rig.turns.slow.count() == 1);
    CHECK(rig.turns.slow.read()[0].of(TurnPhase::log) == 11 * kMs);
  }

  TEST_CASE("with a threshold of 0 no turn is slow") {
    Rig rig;
    TurnTimer timer(rig.clock, rig.turns, 0);
    timer.enter(TurnPhase::flush);
    rig.clock.advance(kSecond);
    timer.end(0, 0);
    CHECK(rig.turns.slow.count() == 0);
    CHECK(rig.turns.last.count() == 1);
  }

  TEST_CASE("the words of a turn name the longest phases first and leave out the short ones") {
    Turn turn;
    turn.phase_ns[static_cast<unsigned>(TurnPhase::poll)] = 900 * kMs;
    turn.phase_ns[static_cast<unsigned>(TurnPhase::decide)] = 3 * kMs;
    turn.phase_ns[static_cast<unsigned>(TurnPhase::log)] = 150 * kMs;
    turn.phase_ns[static_cast<unsigned>(TurnPhase::time)] = 1 * kMs;
    CHECK(phases_text(turn) == "log 150 ms, decide 3.00 ms");
  }

  TEST_CASE("turns as JSON have the times of their phases and when they ended") {
    Rig rig;
    rig.turn(TurnPhase::log, 2);
    rig.turn(TurnPhase::log, 20);
    rig.clock.advance(kSecond);
    const std::string json = turns_json(3, rig.turns, 10 * kMs, rig.clock.now());
    CHECK(json.starts_with(R"({"shard":3,"slow_turn_us":10000,"turns":[{"turn":1,)"));
    CHECK(json.ends_with(
        R"("slow":[{"turn":2,"ended_at":"2027-01-15T08:00:00.022Z","requests":0,"records":0,)"
        R"("work_ns":20000000,"phases_ns":{"poll":0,"requests":0,"inbox":0,"decide":0,"time":0,)"
        R"("ledger":0,"log":20000000,"operators":0,"release":0,"flush":0,"publish":0}}]})"));
  }

  TEST_CASE("slow turns are told once") {
    Rig rig;
    uint64_t told = 0;
    for (int64_t ms : {20, 40, 30}) rig.turn(TurnPhase::log, ms);
    tell_slow_turns(0, rig.turns, told, rig.clock.now());
    CHECK(told == 3);
    tell_slow_turns(0, rig.turns, told, rig.clock.now());
    CHECK(told == 3);
  }

  TEST_CASE("a shard writes down where the time of its turns went") {
    world::World world({});
    world.shard(0).set_turn_hook([&](Moment) {
      world.clock.advance(5 * kMs);
      return false;
    });
    world::Buyer& buyer = world.connect(0);
    buyer.order("alice");
    REQUIRE(world.await_answer(buyer).status == 201);
    const std::vector<Turn> turns = world.process().turns[0]->last.read();
    uint64_t requests = 0, records = 0;
    for (const Turn& turn : turns) {
      CHECK(turn.of(TurnPhase::operators) == 5 * kMs);
      CHECK(turn.work_ns() == 5 * kMs);
      requests += turn.requests, records += turn.records;
    }
    CHECK(turns.back().number == turns.size());
    CHECK(requests == 1);
    CHECK(records == world.shard(0).writer().appended());
  }
}

}  // namespace stampede::shard
