#include "net/doorbell.h"

#include <array>
#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "sockets.h"

using namespace stampede;
using namespace stampede::net;
using namespace stampede::net::test;

namespace {

constexpr int kRounds = 5'000;

// One of two shards that throw a counter to and fro; the counters are the queues. It sleeps
// whenever the other has not answered yet, so that every wake-up matters: a single lost one ends
// the game.
class Player {
 public:
  Player() { REQUIRE(net_.watch(bell_.socket(), 0, Interest::read)); }

  void play(Player& other, bool serves) {
    for (int round = 1; round <= kRounds; ++round) {
      if (serves) throw_to(other, round);
      if (!await(round)) return;
      if (!serves) throw_to(other, round);
    }
    is_done_ = true;
  }

  bool is_done() const { return is_done_; }

 private:
  void throw_to(Player& other, int round) {
    other.inbox_.store(round, std::memory_order_release);  // pairs with the acquire in has()
    other.bell_.ring();
  }

  bool has(int round) const { return inbox_.load(std::memory_order_acquire) >= round; }

  bool await(int round) {
    while (!has(round)) {
      bell_.lie_down();
      const std::span<const Event> events = net_.poll(has(round) ? 0 : kPatienceNs);
      bell_.get_up();
      if (!events.empty()) bell_.drain();
      if (events.empty() && !has(round)) return false;
    }
    return true;
  }

  EpollNet net_;
  Doorbell bell_;
  std::atomic<int> inbox_{0};
  bool is_done_ = false;
};

// Waits until both threads have come to a round. Yields, because there may be one CPU only.
void meet(std::atomic<int>& arrived, int round) {
  arrived.fetch_add(1, std::memory_order_acq_rel);
  for (int spins = 0; arrived.load(std::memory_order_acquire) < 2 * round; ++spins)
    if (spins > 1'000) std::this_thread::yield();
}

// A little time, so that over many rounds every skew between the two threads comes up.
void dawdle(int steps) {
  for (volatile int step = 0; step < steps;) step = step + 1;
}

}  // namespace

TEST_SUITE("net/doorbell") {
  TEST_CASE("two shards that sleep between messages lose no wake-up") {
    Player first, second;
    std::thread thread([&] { second.play(first, false); });
    first.play(second, true);
    thread.join();
    CHECK(first.is_done());
    CHECK(second.is_done());
  }

  // The race itself, with nothing around it: without the fences some hundred of these rounds fail
  // on two cores.
  TEST_CASE("whoever lies down while another pushes sees the push or is rung") {
    constexpr int rounds_max = 50'000;
    // Where others have the CPUs each round costs them a turn of the scheduler: fewer are enough there.
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    Doorbell bell;
    std::atomic<int> arrived{0}, inbox{0};
    std::atomic<bool> is_over{false};
    std::vector<char> was_rung(rounds_max + 1), was_seen(rounds_max + 1);
    std::thread ringer([&] {
      for (int round = 1; !is_over; ++round) {
        meet(arrived, 2 * round - 1);
        dawdle(round % 97);
        inbox.store(round, std::memory_order_release);
        was_rung[round] = bell.ring();
        meet(arrived, 2 * round);
      }
    });
    int rounds = 0;
    while (!is_over) {
      const int round = ++rounds;
      meet(arrived, 2 * round - 1);
      dawdle(round / 97 % 97);
      bell.lie_down();
      was_seen[round] = inbox.load(std::memory_order_acquire) == round;
      is_over = round == rounds_max || std::chrono::steady_clock::now() > until;
      meet(arrived, 2 * round);
      bell.get_up();
    }
    ringer.join();
    int lost = 0;
    for (int round = 1; round <= rounds; ++round) lost += !was_rung[round] && !was_seen[round];
    CHECK(lost == 0);
  }

  TEST_CASE("a bell rung before its owner sleeps ends the sleep") {
    EpollNet net;
    Doorbell bell;
    REQUIRE(net.watch(bell.socket(), 7, Interest::read));
    bell.lie_down();
    CHECK(bell.ring());
    const std::optional<Event> event = await_event(net);
    REQUIRE(event);
    CHECK(event->token == 7);
  }

  TEST_CASE("only a sleeper is rung and only once") {
    Doorbell bell;
    CHECK_FALSE(bell.ring());
    bell.lie_down();
    CHECK(bell.ring());
    CHECK_FALSE(bell.ring());
    bell.get_up();
    CHECK_FALSE(bell.ring());
    bell.lie_down();
    CHECK(bell.ring());
  }

  TEST_CASE("a drained bell is silent and rings for the next sleep") {
    EpollNet net;
    Doorbell bell;
    REQUIRE(net.watch(bell.socket(), 0, Interest::read));
    bell.drain();  // nothing to drain is no fault
    for (int sleep = 0; sleep < 3; ++sleep) {
      bell.lie_down();
      CHECK(net.poll(0).empty());
      CHECK(bell.ring());
      CHECK(net.poll(0).size() == 1);
      bell.get_up();
      bell.drain();
      CHECK(net.poll(0).empty());
    }
  }

  TEST_CASE("of many ringers one wakes the sleeper") {
    Doorbell bell;
    for (int round = 0; round < 200; ++round) {
      bell.lie_down();
      std::atomic<int> woken{0};
      std::array<std::thread, 4> ringers;
      for (std::thread& ringer : ringers) ringer = std::thread([&] { woken += bell.ring(); });
      for (std::thread& ringer : ringers) ringer.join();
      CHECK(woken == 1);
    }
  }
}
