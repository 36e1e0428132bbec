#include "shard/deadlines.h"

#include "parts_rig.h"

namespace stampede::shard {
namespace {

using Waiting = Connection::Waiting;

struct DeadlinesRig : PartsRig {
  void pass_ms(int64_t ms) { table.now.boot_ns += ms * kMillisecond; }
  // A tick of the wheel is 8.4 ms.
  bool is_late_after(int64_t ms) {
    pass_ms(ms - 1);
    const bool is_early = next() != kNone;
    pass_ms(20);
    const bool is_late = next() != kNone;
    pass_ms(-19);
    return !is_early && is_late;
  }
  uint32_t next() {
    uint32_t budget = bounds::expiries_per_turn_max;
    return deadlines.next_late(budget);
  }

  Deadlines deadlines{table};
};

TEST_SUITE("shard/deadlines") {
  TEST_CASE("a request that trickles in has the time of a whole one") {
    for (const Waiting waiting : {Waiting::head, Waiting::body}) {
      DeadlinesRig rig;
      const auto peer = rig.open();
      rig.deadlines.wait_for(peer.index, waiting);
      rig.pass_ms(3'000);
      rig.deadlines.wait_for(peer.index, waiting);
      CHECK(rig.is_late_after(bounds::head_deadline_ms - 3'000));
    }
  }

  TEST_CASE("the wait for the next request begins anew with each") {
    DeadlinesRig rig;
    const auto peer = rig.open();
    rig.deadlines.wait_for(peer.index, Waiting::idle);
    rig.pass_ms(10'000);
    rig.deadlines.wait_for(peer.index, Waiting::idle);
    CHECK(rig.is_late_after(bounds::idle_deadline_ms));
  }

  TEST_CASE("an earlier deadline counts at once") {
    DeadlinesRig rig;
    const auto peer = rig.open();
    rig.deadlines.wait_for(peer.index, Waiting::idle);
    rig.deadlines.wait_for(peer.index, Waiting::head);
    CHECK(rig.is_late_after(bounds::head_deadline_ms));
  }

  TEST_CASE("nobody is late while the server owes an answer") {
    DeadlinesRig rig;
    const auto peer = rig.open();
    rig.deadlines.wait_for(peer.index, Waiting::head);
    Deadlines::wait_for_answer(rig.at(peer));
    const auto took_all = rig.open();  // in time, and it waits for another one
    rig.deadlines.wait_for(took_all.index, Waiting::write);
    Deadlines::count_taken(rig.at(took_all), kWriteBytesMin);
    for (int minute = 0; minute < 60; ++minute) {
      rig.pass_ms(60'000);
      CHECK(rig.next() == kNone);
    }
    rig.deadlines.wait_for(peer.index, Waiting::head);
    CHECK(rig.is_late_after(bounds::head_deadline_ms));
  }

  TEST_CASE("a request after another leaves the wheel alone and has its time") {
    DeadlinesRig rig;
    const auto peer = rig.open();
    rig.deadlines.wait_for(peer.index, Waiting::idle);
    const int64_t first_ns = rig.at(peer).deadline_ns;
    rig.pass_ms(5'000);
    Deadlines::wait_for_answer(rig.at(peer));
    rig.deadlines.wait_for(peer.index, Waiting::idle);
    rig.table.now.boot_ns = first_ns - kMillisecond;
    CHECK(rig.next() == kNone);
    CHECK(rig.deadlines.quiet_until_ns() == stock::TimerWheel::expires_boot_ns(first_ns));
    CHECK(rig.is_late_after(5'001));
  }

  TEST_CASE("a client has ten seconds for its answer and a guest one") {
    for (const bool is_guest : {false, true}) {
      DeadlinesRig rig;
      const auto peer = rig.open(is_guest);
      rig.deadlines.wait_for(peer.index, Waiting::write);
      CHECK(rig.is_late_after(is_guest ? kGuestWriteMs : bounds::write_deadline_ms));
    }
  }

  TEST_CASE("a client that takes a fair amount is waited for anew and a guest is not") {
    for (const bool is_guest : {false, true}) {
      DeadlinesRig rig;
      const auto peer = rig.open(is_guest);
      rig.deadlines.wait_for(peer.index, Waiting::write);
      rig.pass_ms(500);
      Deadlines::count_taken(rig.at(peer), kWriteBytesMin - 1);
      rig.deadlines.wait_for(peer.index, Waiting::write);
      const int64_t first_ns = rig.at(peer).deadline_ns;
      Deadlines::count_taken(rig.at(peer), 1);
      rig.deadlines.wait_for(peer.index, Waiting::write);
      CHECK((rig.at(peer).deadline_ns > first_ns) == !is_guest);
      Deadlines::count_taken(rig.at(peer), kWriteBytesMin - 1);  // it is counted anew, too
      CHECK(rig.at(peer).waiting == Waiting::write);
    }
  }

  TEST_CASE("a cell that was given back is late no more") {
    DeadlinesRig rig;
    const auto peer = rig.open();
    rig.deadlines.wait_for(peer.index, Waiting::linger);
    rig.deadlines.cancel(peer.index);
    rig.pass_ms(60'000);
    CHECK(rig.next() == kNone);
    CHECK(rig.deadlines.quiet_until_ns() == INT64_MAX);
  }
}

}  // namespace
}  // namespace stampede::shard
