#include "drain/drainer.h"

#include <algorithm>
#include <deque>
#include <functional>
#include <random>
#include <thread>

#include "base/time_text.h"
#include "drain/sqlite.h"
#include "support.h"

namespace {

using namespace stampede;
using namespace stampede::drain;
using namespace stampede::drain::testing;
using orderlog::RecordType;
using Agreement = Drainer::Agreement;
using Step = Drainer::Step;

// A database in memory that answers as it is told: each planned answer is used up by one write.
class PlannedSink final : public Sink {
 public:
  struct Plan {
    Outcome outcome = Outcome::done;
    bool is_written = true;  // whatever the answer says
  };

  Result<std::vector<StreamPosition>> positions() override {
    ++position_reads;
    if (!is_reachable) return Error{"no route to the database"};
    return stored;
  }

  Status confirm(uint32_t, Patience) override {
    return is_durable ? Status(Ok{}) : Error{"its standby is gone"};
  }

  Result<std::vector<KnownOrder>> outermost_orders(uint32_t, size_t) override {
    if (!knows_orders) return Error{"the orders cannot be read"};
    return known;
  }

  Written write(const Batch& batch, int64_t, const MayGoOn& may_go_on) override {
    ++writes;
    if (batch.records() > records_max)
      return {.outcome = Outcome::retry, .is_too_long = true, .cause = "it took too long"};
    if (is_endless) {
      while (may_go_on()) std::this_thread::yield();
      return {.outcome = Outcome::retry, .cause = "stopped"};
    }
    if (check) check(batch);
    Plan plan;
    if (!plans.empty()) plan = plans.front(), plans.pop_front();
    const auto found = std::ranges::find(stored, batch.stream(), &StreamPosition::stream);
    const auto before = found == stored.end() ? std::nullopt : std::optional(found->position);
    if (before != batch.before())
      return {.outcome = Outcome::conflict, .cause = "somebody was faster"};
    if (plan.is_written) {
      for (const NewOrder& order : batch.orders())
        if (!batch.is_rebuild() || std::ranges::find(orders, order.order) == orders.end())
          orders.push_back(order.order);
      if (found != stored.end()) found->position = *batch.after();
      if (found == stored.end() && batch.after())
        stored.push_back({batch.stream(), *batch.after()});
    }
    return {.outcome = plan.outcome, .cause = "as planned"};
  }

  std::vector<StreamPosition> stored;
  std::vector<OrderId> orders;
  std::vector<KnownOrder> known;
  std::deque<Plan> plans;
  std::function<void(const Batch&)> check;  // looks at every batch
  bool is_reachable = true, is_durable = true, knows_orders = true;
  size_t records_max = SIZE_MAX;  // a batch of more takes too long
  bool is_endless = false;
  int position_reads = 0, writes = 0;
};

struct Fixture {
  Fixture() { set_ticket(names); }

  Stream stream(MemoryLog& source, orderlog::Marks& source_marks, uint32_t shard) {
    source_marks.start_at(source.last_lsn());
    return {.key = {.shard = shard},
            .source = &source,
            .marks = &source_marks,
            .log_end = source.end()};
  }
  Drainer& drainer() {
    if (!made) made.emplace(sink, names, clock, std::vector<Stream>{stream(log, marks, 0)});
    return *made;
  }
  void append(std::vector<orderlog::Record> records, bool starts_segment = false) {
    log.append(std::move(records), starts_segment);
    marks.start_at(log.last_lsn());
  }
  // Steps until all is drained, letting time pass when nothing is due.
  void drain() {
    for (int i = 0; i < 1'000 && !(drainer().is_drained() && drainer().step() == Step::idle); ++i)
      if (drainer().step() != Step::drained) clock.pass_ms(bounds::drain_retry_ms_max);
    REQUIRE(drainer().is_drained());
  }

  ItemNames names;
  MemoryLog log;
  orderlog::Marks marks;
  SetClock clock;
  PlannedSink sink;
  std::optional<Drainer> made;
};

KnownOrder known_order(uint64_t number, std::string user = "u1") {
  const orderlog::Reserve order = reserve(number);
  return {.id = order.order,
          .user = std::move(user),
          .quantity = static_cast<int64_t>(order.quantity),
          .amount = order.amount,
          .created_at = std::string(TimeText(order.created_ms).view())};
}

// Three orders in as many segments, of which two are gone. The database has the first order and stands behind it.
struct Older : Fixture {
  Older() {
    append({reserve(1)});
    drain();
    early = sink.stored;
    append({reserve(2)}, true);
    const orderlog::Position covered = log.end();
    append({reserve(3)}, true);
    log.recycle_below(3);
    log.set_snapshot(
        {orderlog::OrderImage{.reserve = reserve(1)}, orderlog::OrderImage{.reserve = reserve(2)}},
        {.segment = 3,
         .offset = 0,
         .batch_seq = covered.batch_seq,
         .next_lsn = covered.next_lsn,
         .prev_chain = covered.prev_chain});
    sink.known = {known_order(1)};
  }
  // The running drainer finds it in the place of the database that it had.
  void come_back() {
    clock.pass_ms(bounds::drain_gather_ms);
    sink.stored[0].position.next_lsn += 1;  // not what the drainer expects
    CHECK(drainer().step() == Step::blocked);
    sink.stored = early;
    clock.pass_ms(bounds::drain_retry_ms_max);
  }

  // The same log as the next generation's, made of a stream that ended with record 3.
  Drainer& resharded(Lsn end, uint64_t chain) {
    Stream present = stream(log, marks, 0);
    present.key.generation = 2;
    sink.stored = {{.stream = {.generation = 1}, .position = early[0].position}};
    return made.emplace(sink, names, clock, std::vector<Stream>{present},
                        std::vector<orderlog::StreamEnd>{{.lsn = end, .chain = chain}});
  }

  std::vector<StreamPosition> early;
};

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_SUITE("drain/drainer") {
  TEST_CASE("the rate of reservations is told at once and behind each transaction") {
    Fixture fixture;
    std::vector<uint32_t> told;
    fixture.sink.check = [&](const Batch&) { fixture.clock.pass_ms(1'000); };
    fixture.drainer().set_on_rate([&](uint32_t per_second) { told.push_back(per_second); });
    CHECK(told == std::vector<uint32_t>{DrainRate::kFirst});
    std::vector<orderlog::Record> orders;
    for (uint64_t number = 1; number <= 1'000; ++number) orders.push_back(reserve(number));
    fixture.append(std::move(orders));
    fixture.drain();
    // A thousand rows in a second: the lowest that is believed is half of what stood.
    REQUIRE(told.size() >= 2);
    CHECK(told[1] == DrainRate::kFirst * 7 / 8);
  }

  TEST_CASE_FIXTURE(Fixture, "what is durable goes into the database and the mark follows") {
    log.append({reserve(1), reserve(2)});
    log.append({reserve(3)});
    REQUIRE(drainer().reconcile().agreement == Agreement::agrees);
    CHECK(marks.drained.get() == 0);
    CHECK(drainer().step() == Step::drained);
    CHECK(sink.writes == 1);
    CHECK(sink.orders.size() == 3);
    CHECK(marks.drained.get() == 3);
    CHECK(marks.drained_wall_ns == kStartMs * kMillisecond);
    CHECK(drainer().is_drained());
    CHECK(drainer().step() == Step::idle);
    CHECK(drainer().stats().records == 3);
    CHECK(drainer().stats().rows == 3);
  }

  TEST_CASE_FIXTURE(Fixture, "what is not durable yet stays out") {
    log.append({reserve(1)});
    log.append({reserve(2)});
    REQUIRE(drainer().reconcile().agreement == Agreement::agrees);
    begin_at(marks, 1);
    CHECK(drainer().step() == Step::drained);
    CHECK(sink.orders.size() == 1);
    clock.pass_ms(100);
    CHECK(drainer().step() == Step::idle);
    CHECK(marks.drained.get() == 1);
  }

  TEST_CASE_FIXTURE(Fixture, "a transaction is bounded and a small one waits for company") {
    for (uint64_t number = 1; number <= 10'000; number += 100) {
      std::vector<orderlog::Record> records;
      for (uint64_t i = 0; i < 100; ++i) records.push_back(reserve(number + i));
      log.append(std::move(records));
    }
    CHECK(drainer().step() == Step::drained);
    CHECK(sink.orders.size() == 8'200);  // whole log batches
    CHECK(drainer().step() == Step::idle);
    clock.pass_ms(bounds::drain_gather_ms - 1);
    CHECK(drainer().step() == Step::idle);
    clock.pass_ms(1);
    CHECK(drainer().step() == Step::drained);
    CHECK(sink.orders.size() == 10'000);
  }

  TEST_CASE_FIXTURE(Fixture, "streams take turns") {
    MemoryLog other_log;
    orderlog::Marks other_marks;
    log.append({reserve(1)});
    other_log.append({reserve(2)});
    made.emplace(sink, names, clock,
                 std::vector<Stream>{stream(log, marks, 0), stream(other_log, other_marks, 1)});
    CHECK(drainer().step() == Step::drained);
    CHECK(marks.drained.get() + other_marks.drained.get() == 1);
    CHECK(drainer().step() == Step::drained);
    CHECK(marks.drained.get() == 1);
    CHECK(other_marks.drained.get() == 1);
    REQUIRE(sink.stored.size() == 2);
  }

  TEST_CASE_FIXTURE(Fixture,
                    "a failed write is tried again after a pause that grows and loses nothing") {
    log.append({reserve(1)});
    sink.plans = {{Outcome::retry, false}, {Outcome::retry, false}, {Outcome::retry, false}};
    CHECK(drainer().step() == Step::blocked);
    CHECK(drainer().problem() == "as planned");
    CHECK(drainer().step() == Step::blocked);
    CHECK(sink.writes == 1);
    clock.pass_ms(10);
    CHECK(drainer().step() == Step::blocked);
    clock.pass_ms(10);
    CHECK(drainer().step() == Step::blocked);
    CHECK(sink.writes == 2);
    clock.pass_ms(10);
    CHECK(drainer().step() == Step::blocked);
    CHECK(sink.writes == 3);
    clock.pass_ms(40);
    CHECK(drainer().step() == Step::drained);
    CHECK(drainer().problem().empty());
    CHECK(drainer().stats().retries == 3);
    CHECK(sink.orders.size() == 1);
  }

  TEST_CASE_FIXTURE(Fixture, "a commit whose answer was lost is neither repeated nor forgotten") {
    log.append({reserve(1)});
    SUBCASE("it had happened") {
      sink.plans = {{Outcome::unknown, true}};
    }
    SUBCASE("it had not happened") {
      sink.plans = {{Outcome::unknown, false}};
    }
    CHECK(drainer().step() == Step::blocked);
    drain();
    CHECK(sink.orders.size() == 1);
    CHECK(drainer().stats().rows == 1);
    CHECK(drainer().problem().empty());
  }

  TEST_CASE_FIXTURE(Fixture, "a transaction that takes too long is tried with half the records") {
    for (uint64_t number = 1; number <= 20'000; ++number) log.append({reserve(number)});
    sink.records_max = 1'500;
    size_t largest = 0;
    sink.check = [&](const Batch& batch) { largest = std::max(largest, batch.records()); };
    drain();
    CHECK(sink.orders.size() == 20'000);
    CHECK(largest <= 1'500);
    CHECK(largest > 1'350);  // they have grown again
    sink.records_max = SIZE_MAX;
    for (uint64_t number = 20'001; number <= 200'000; number += 100) {
      std::vector<orderlog::Record> records;
      for (uint64_t i = 0; i < 100; ++i) records.push_back(reserve(number + i));
      append(std::move(records));
    }
    drain();
    CHECK(largest >= bounds::drain_records_per_transaction);
  }

  TEST_CASE_FIXTURE(Fixture, "a rebuild that takes too long is tried with half the records") {
    append({reserve(1)}, true);
    append({reserve(2)}, true);
    std::vector<orderlog::Record> images;
    for (uint64_t number = 1; number <= 60'000; ++number)
      images.push_back(orderlog::OrderImage{.reserve = reserve(number)});
    orderlog::Position covered = log.end();
    log.recycle_below(2);
    log.set_snapshot(images, covered);
    sink.records_max = 3'000;
    drain();
    CHECK(sink.orders.size() == 60'000);
  }

  TEST_CASE_FIXTURE(Fixture, "a transaction that took too long uses up nobody's patience") {
    for (uint64_t number = 1; number <= 3'000; ++number) append({reserve(number)});
    sink.records_max = 1'000;
    CHECK(drainer().drain_now(10 * kSecond, {}, [&] { clock.pass_ms(10'000); }));
    CHECK(sink.orders.size() == 3'000);
  }

  TEST_CASE_FIXTURE(Fixture, "a write that needs many statements ends with the time of a stop") {
    sink.is_endless = true;
    log.append({reserve(1)});
    SystemClock real;
    Drainer threaded(sink, names, real, {stream(log, marks, 0)});
    threaded.start();
    CHECK_FALSE(threaded.stop(real.now().boot_ns + 30 * kMillisecond));
    CHECK(sink.orders.empty());
  }

  TEST_CASE_FIXTURE(Fixture, "rows that the database may lose yet are not counted as written") {
    append({reserve(1)});
    append({reserve(2)}, true);
    REQUIRE(drainer().reconcile().agreement == Agreement::agrees);
    begin_at(marks, 1);
    REQUIRE(drainer().step() == Step::drained);
    REQUIRE(drainer().step() == Step::idle);
    marks.start_at(2);
    clock.pass_ms(bounds::drain_gather_ms);
    sink.plans = {{Outcome::unknown, true}};
    sink.is_durable = false;
    for (int attempt = 0; attempt < 3; ++attempt) {
      CHECK(drainer().step() == Step::blocked);
      clock.pass_ms(bounds::drain_retry_ms_max);
    }
    CHECK(contains(drainer().problem(), "standby is gone"));
    CHECK_FALSE(drainer().is_drained());
    CHECK(marks.drained.get() == 1);
    CHECK(marks.drained_segment == 1);
    CHECK(drainer().stats().rows == 1);
    sink.is_durable = true;
    CHECK(drainer().step() == Step::idle);
    CHECK(drainer().is_drained());
    CHECK(marks.drained.get() == 2);
    CHECK(marks.drained_segment == 2);
    CHECK(drainer().stats().rows == 2);
    CHECK(sink.orders.size() == 2);
  }

  TEST_CASE_FIXTURE(Fixture, "the loser of a race goes on where the winner is") {
    append({reserve(1)});
    append({reserve(2)});
    REQUIRE(drainer().reconcile().agreement == Agreement::agrees);
    orderlog::Marks rival_marks;
    Drainer rival(sink, names, clock, {stream(log, rival_marks, 0)});
    begin_at(rival_marks, 1);
    REQUIRE(rival.step() == Step::drained);
    CHECK(drainer().step() == Step::blocked);
    CHECK(drainer().stats().conflicts == 1);
    drain();
    CHECK(sink.orders == std::vector<OrderId>{order_id(1), order_id(2)});
  }

  TEST_CASE_FIXTURE(Fixture, "segments are let go only after the position was read again") {
    append({reserve(1)});
    append({reserve(2)}, true);
    REQUIRE(drainer().reconcile().agreement == Agreement::agrees);
    begin_at(marks, 1);
    REQUIRE(drainer().step() == Step::drained);
    REQUIRE(drainer().step() == Step::idle);
    CHECK(marks.drained_segment == 1);
    marks.start_at(2);
    clock.pass_ms(100);
    REQUIRE(drainer().step() == Step::drained);
    CHECK(marks.drained_segment == 1);
    const int reads_before = sink.position_reads;
    CHECK(drainer().step() == Step::idle);
    CHECK(sink.position_reads == reads_before + 1);
    CHECK(marks.drained_segment == 2);
  }

  TEST_CASE_FIXTURE(Fixture, "a database that does not answer at start is asked again later") {
    log.append({reserve(1)});
    sink.is_reachable = false;
    CHECK(drainer().reconcile().agreement == Agreement::unavailable);
    CHECK(drainer().step() == Step::blocked);
    CHECK(contains(drainer().problem(), "no route"));
    sink.is_reachable = true;
    drain();
    CHECK(sink.orders.size() == 1);
  }

  TEST_CASE_FIXTURE(Fixture,
                    "a database that knows more than the log is told with what is missing") {
    append({reserve(1)});
    append({reserve(2), reserve(3)});
    drain();
    MemoryLog shorter;
    shorter.append({reserve(1)});
    orderlog::Marks short_marks;
    Drainer later(sink, names, clock, {stream(shorter, short_marks, 0)});
    const Drainer::Finding finding = later.reconcile();
    CHECK(finding.agreement == Agreement::contradicts);
    CHECK(contains(finding.message, "shard 0"));
    CHECK(contains(finding.message, "the database ends at record 3, the order log at record 1"));
    CHECK(contains(finding.message, "records 2 to 3 are missing from the log"));
    CHECK(later.step() == Step::blocked);
    CHECK(sink.orders.size() == 3);

    SUBCASE("and with the loss accepted the position jumps and the rows stay") {
      REQUIRE(later.reconcile(true).agreement == Agreement::agrees);
      shorter.append({reserve(7)});
      begin_at(short_marks, 2);
      clock.pass_ms(100);
      CHECK(later.step() == Step::drained);
      CHECK(sink.orders.size() == 4);
      CHECK(sink.stored[0].position == shorter.end());
    }
    SUBCASE("and a loss that was accepted while the database was away is told to it later") {
      sink.plans = {{Outcome::unknown, false}};
      REQUIRE(later.reconcile(true).agreement == Agreement::unavailable);
      shorter.append({reserve(7)});
      shorter.append({reserve(8)});  // as long as the other was
      begin_at(short_marks, 3);
      clock.pass_ms(100);
      CHECK(later.step() == Step::idle);
      clock.pass_ms(100);
      CHECK(later.step() == Step::drained);
      CHECK(sink.orders.size() == 5);
      CHECK(sink.stored[0].position == shorter.end());
    }
  }

  TEST_CASE_FIXTURE(Fixture,
                    "a database that was away at the start and then knows more ends the sale") {
    append({reserve(1)});
    append({reserve(2), reserve(3)});
    drain();
    MemoryLog shorter(77);
    shorter.append({reserve(1)});
    orderlog::Marks short_marks;
    Drainer later(sink, names, clock, {stream(shorter, short_marks, 0)});
    sink.is_reachable = false;
    REQUIRE(later.reconcile().agreement == Agreement::unavailable);
    CHECK(later.contradiction().empty());
    SUBCASE("at its first answer") {}
    SUBCASE("as long as the other log by then, at the next record") {
      shorter.append({reserve(7), reserve(8)});
      begin_at(short_marks, 3);
      sink.is_reachable = true;
      (void)later.step();
      CHECK(later.contradiction().empty());
      shorter.append({reserve(9)});
      begin_at(short_marks, 4);
      clock.pass_ms(bounds::drain_retry_ms_max);
      CHECK(later.step() == Step::blocked);
    }
    sink.is_reachable = true;
    clock.pass_ms(bounds::drain_retry_ms_max);
    CHECK(later.step() == Step::blocked);
    CHECK(contains(later.contradiction(), "the database ends at record 3"));
    CHECK(sink.orders.size() == 3);
  }

  TEST_CASE_FIXTURE(Fixture, "rows of one stream prove nothing of another") {
    append({reserve(1)});
    append({reserve(2), reserve(3)});
    drain();
    MemoryLog shorter(77), other;
    shorter.append({reserve(1)});
    other.append({reserve(11)});
    orderlog::Marks short_marks, other_marks;
    Drainer later(sink, names, clock,
                  {stream(shorter, short_marks, 0), stream(other, other_marks, 1)});
    sink.is_reachable = false;
    REQUIRE(later.reconcile().agreement == Agreement::unavailable);
    // By the time that the database answers, the one log is as long as that of which the database has rows.
    shorter.append({reserve(7), reserve(8)});
    begin_at(short_marks, 3);
    sink.is_reachable = true;
    clock.pass_ms(bounds::drain_gather_ms);
    CHECK(later.step() == Step::drained);
    CHECK(other_marks.drained.get() == 1);
    CHECK(later.contradiction().empty());
    shorter.append({reserve(9)});
    begin_at(short_marks, 4);
    for (int i = 0; i < 2; ++i) {
      clock.pass_ms(bounds::drain_retry_ms_max);
      CHECK(later.step() == Step::blocked);
    }
    CHECK(contains(later.contradiction(), "the database ends at record 3"));
  }

  TEST_CASE_FIXTURE(Fixture,
                    "a database that agreed when it answered and is exchanged then ends no sale") {
    append({reserve(1)});
    drain();
    orderlog::Marks later_marks;
    Drainer later(sink, names, clock, {stream(log, later_marks, 0)});
    sink.is_reachable = false;
    REQUIRE(later.reconcile().agreement == Agreement::unavailable);
    sink.is_reachable = true;
    CHECK(later.step() == Step::idle);  // it has everything
    sink.stored[0].position.prev_chain ^= 1;
    log.append({reserve(2)});
    begin_at(later_marks, 2);
    for (int i = 0; i < 2; ++i) {
      clock.pass_ms(bounds::drain_retry_ms_max);
      CHECK(later.step() == Step::blocked);
    }
    CHECK(later.contradiction().empty());
  }

  TEST_CASE_FIXTURE(Fixture, "a running server whose database is exchanged goes on without rows") {
    append({reserve(1)});
    drain();
    sink.stored[0].position.prev_chain ^= 1;
    sink.plans = {{Outcome::conflict, false}};
    append({reserve(2)});
    clock.pass_ms(100);
    CHECK(drainer().step() == Step::blocked);
    clock.pass_ms(bounds::drain_retry_ms_max);
    CHECK(drainer().step() == Step::blocked);
    CHECK(drainer().contradiction().empty());
  }

  TEST_CASE_FIXTURE(Fixture, "a database that has seen a newer generation is not written to") {
    append({reserve(1)});
    sink.stored = {{.stream = {.generation = 9}, .position = log.end()}};
    for (const bool accepts_loss : {false, true}) {
      const Drainer::Finding finding = drainer().reconcile(accepts_loss);
      CHECK(finding.agreement == Agreement::contradicts);
      CHECK(contains(finding.message, "generation 9"));
    }
    clock.pass_ms(bounds::drain_retry_ms_max);
    CHECK(drainer().step() == Step::blocked);
    CHECK(sink.writes == 0);
  }

  TEST_CASE_FIXTURE(Fixture, "nothing is drained before the database has answered once") {
    SystemClock real;
    const orderlog::Position covered{};  // all of the log lies in the snapshot
    log.set_snapshot({orderlog::OrderImage{.reserve = reserve(1), .state = OrderState::paid}},
                     covered);
    log.recycle_below(2);
    Drainer command(sink, names, real, {stream(log, marks, 0)});
    sink.is_reachable = false;
    CHECK_FALSE(command.is_drained());
    CHECK_FALSE(command.drain_now(30 * kMillisecond));
    CHECK(contains(command.problem(), "no route"));
    sink.is_reachable = true;
    CHECK(command.drain_now(60 * kSecond));
    CHECK(sink.orders == std::vector<OrderId>{order_id(1)});
  }

  TEST_CASE_FIXTURE(Fixture, "a database of another log is not written to") {
    append({reserve(1)});
    append({reserve(2)});
    SUBCASE("of the same length") {
      drain();
    }
    SUBCASE("shorter") {
      REQUIRE(drainer().reconcile().agreement == Agreement::agrees);
      begin_at(marks, 1);
      drain();
    }
    MemoryLog other(77);
    other.append({reserve(1)});
    other.append({reserve(2)});
    orderlog::Marks other_marks;
    Drainer later(sink, names, clock, {stream(other, other_marks, 0)});
    CHECK(later.reconcile().agreement == Agreement::contradicts);
    const int writes = sink.writes;
    CHECK(later.step() == Step::blocked);
    CHECK(sink.writes == writes);
    CHECK(later.reconcile(true).agreement == Agreement::agrees);
    CHECK(sink.stored[0].position == other.end());
  }

  // Whoever has gone on with a log since its recovery, and no longer does, gives its present end.
  TEST_CASE_FIXTURE(Fixture, "a database that ends where a log ends is held against its chain") {
    append({reserve(1)});
    drain();
    MemoryLog other(77);
    other.append({reserve(1)});
    other.append({reserve(2)});
    orderlog::Marks other_marks;
    const Stream gone_on = stream(other, other_marks, 0);
    for (const uint64_t flip : {0, 1}) {
      sink.stored[0].position = other.end();
      sink.stored[0].position.prev_chain ^= flip;
      Drainer later(sink, names, clock, {gone_on});
      CHECK((later.reconcile().agreement == Agreement::contradicts) == (flip == 1));
    }
  }

  TEST_CASE_FIXTURE(Older, "a database older than the log keeps is completed from the snapshot") {
    SUBCASE("found by a start") {
      made.reset();
      CHECK(drainer().reconcile().agreement == Agreement::agrees);
    }
    SUBCASE("found by the running drainer") {
      come_back();
    }
    CHECK(marks.drained.get() == 1);
    CHECK(marks.drained_segment == 1);
    CHECK_FALSE(drainer().is_drained());
    drain();
    CHECK(sink.orders == std::vector<OrderId>{order_id(1), order_id(2), order_id(3)});
    CHECK(sink.stored[0].position == log.end());
    CHECK(drainer().stats().completions == 1);
  }

  TEST_CASE_FIXTURE(Older, "what a completed database may lack is told from the first moment on") {
    made.reset();
    CHECK(drainer().gaps().empty());
    REQUIRE(drainer().reconcile().agreement == Agreement::agrees);
    REQUIRE(drainer().gaps().size() == 1);
    CHECK(contains(drainer().gaps()[0],
                   "ends at record 1 in segment 1, but the oldest segment kept is 3"));
    CHECK(contains(drainer().gaps()[0], "orders that were forgotten since are not in there"));
    drain();
    REQUIRE(drainer().gaps().size() == 1);
    CHECK(contains(drainer().gaps()[0],
                   "older, at record 1, and was completed from the snapshot at record 2"));
  }

  TEST_CASE_FIXTURE(Older, "the drained mark goes back with the database") {
    drain();
    REQUIRE(marks.drained.get() == 3);
    append({reserve(4)});
    sink.stored = early;
    clock.pass_ms(bounds::drain_gather_ms);
    CHECK(drainer().step() == Step::blocked);  // the position is not the expected one
    clock.pass_ms(bounds::drain_retry_ms_max);
    CHECK(drainer().step() == Step::drained);
    CHECK(marks.drained.get() == 2);  // the snapshot
    drain();
    CHECK(marks.drained.get() == 4);
  }

  TEST_CASE_FIXTURE(Older, "a completion whose last answer was lost is told all the same") {
    come_back();
    sink.plans = {{Outcome::unknown, true}};
    drain();
    CHECK(drainer().stats().completions == 1);
    CHECK(contains(drainer().gaps().at(0), "was completed"));
    CHECK(sink.orders.size() == 3);
  }

  TEST_CASE_FIXTURE(Older, "a newer database that comes instead needs no completion") {
    come_back();
    sink.plans = {{Outcome::retry, false}};
    CHECK(drainer().step() == Step::blocked);
    CHECK(drainer().gaps().size() == 1);
    sink.stored[0].position = log.end();
    drain();
    CHECK(drainer().stats().completions == 0);
    CHECK(drainer().gaps().empty());
  }

  TEST_CASE_FIXTURE(Older,
                    "an older database that is not known to be this directory's is refused") {
    SUBCASE("another order stands under the number") {
      sink.known = {known_order(1, "somebody else")};
    }
    SUBCASE("none of its orders is known here") {
      sink.known = {known_order(9)};
    }
    for (const bool accepts_loss : {false, true}) {
      made.reset();
      const Drainer::Finding finding = drainer().reconcile(accepts_loss);
      CHECK(finding.agreement == Agreement::contradicts);
      CHECK(contains(finding.message,
                     "ends at record 1 in segment 1, but the oldest segment kept is 3"));
      clock.pass_ms(bounds::drain_retry_ms_max);
      CHECK(drainer().step() == Step::blocked);
    }
    CHECK(sink.writes == 1);
  }

  TEST_CASE_FIXTURE(Older,
                    "a database from before the shards changed is completed and it is told") {
    REQUIRE(resharded(3, 7).reconcile().agreement == Agreement::agrees);
    drain();
    CHECK(sink.orders.size() == 3);
    CHECK(drainer().stats().completions == 1);
    REQUIRE(drainer().gaps().size() == 1);
    CHECK(contains(drainer().gaps()[0], "record 1 of shard 0 (node 0, generation 1)"));
  }

  TEST_CASE_FIXTURE(Older, "a database with all from before the shards changed is only built on") {
    REQUIRE(resharded(1, early[0].position.prev_chain).reconcile().agreement == Agreement::agrees);
    drain();
    CHECK(sink.orders.size() == 3);
    CHECK(drainer().stats().completions == 0);
    CHECK(drainer().gaps().empty());
  }

  TEST_CASE_FIXTURE(Older, "what a stream never had before the shards changed is another's") {
    Lsn end = 1;
    uint64_t chain = early[0].position.prev_chain;
    SUBCASE("another batch at its end") {
      chain ^= 1;
    }
    SUBCASE("a record behind its end") {
      end = 0;
    }
    SUBCASE("less, and an order that is not this directory's") {
      end = 3;
      sink.known = {known_order(1, "somebody else")};
    }
    for (const bool accepts_loss : {false, true})
      CHECK(resharded(end, chain).reconcile(accepts_loss).agreement == Agreement::contradicts);
    CHECK(drainer().step() == Step::blocked);
    CHECK(sink.writes == 1);
  }

  TEST_CASE_FIXTURE(Older, "an older database whose orders cannot be read is asked again") {
    sink.knows_orders = false;
    made.reset();
    CHECK(drainer().reconcile().agreement == Agreement::unavailable);
    sink.knows_orders = true;
    drain();
    CHECK(sink.orders.size() == 3);
  }

  TEST_CASE_FIXTURE(Fixture, "an order and its payments are not parted by a completion") {
    constexpr uint64_t kOrders = bounds::drain_records_per_transaction;
    std::vector<orderlog::Record> images;
    for (uint64_t number = 1; number <= kOrders; ++number) {
      images.push_back(orderlog::OrderImage{.reserve = reserve(number), .state = OrderState::paid});
      if (number % 3 != 0) images.push_back(orderlog::PaymentImage{paid(number)});
    }
    append({reserve(30'000)}, true);
    log.recycle_below(2);
    log.set_snapshot(images, log.end());
    sink.check = [](const Batch& batch) { CHECK(batch.changes().empty()); };
    drain();
    CHECK(sink.writes > 1);
    CHECK(sink.orders.size() == kOrders);
  }

  TEST_CASE_FIXTURE(Fixture,
                    "a new database of a log without its beginning is built from the snapshot") {
    log.append({reserve(1), paid(1)});
    log.append({reserve(2)}, true);
    const orderlog::Position covered = {
        .segment = 2, .offset = 0, .batch_seq = 2, .next_lsn = 3, .prev_chain = mix(0 + 3 + 0 + 1)};
    log.recycle_below(2);
    SUBCASE("which is there") {
      log.set_snapshot({orderlog::OrderImage{.reserve = reserve(1), .state = OrderState::paid},
                        orderlog::PaymentImage{paid(1)}},
                       covered);
      drain();
      drainer().step();
      CHECK(sink.orders == std::vector<OrderId>{order_id(1), order_id(2)});
      CHECK(marks.drained.get() == 3);
      CHECK(marks.drained_segment == 2);
    }
    SUBCASE("which is missing") {
      CHECK(drainer().step() == Step::blocked);
      CHECK(contains(drainer().problem(), "there is no snapshot"));
      CHECK(sink.writes == 0);
    }
  }

  TEST_CASE_FIXTURE(Fixture, "a rebuild that fails in the middle begins again") {
    std::vector<orderlog::Record> images;
    for (uint64_t number = 1; number <= 20'000; ++number)
      images.push_back(orderlog::OrderImage{.reserve = reserve(number)});
    log.append({reserve(30'000)}, true);
    log.recycle_below(2);
    orderlog::Position covered = log.end();
    log.set_snapshot(images, covered);
    sink.plans = {{}, {Outcome::retry, false}};
    CHECK(drainer().step() == Step::blocked);
    CHECK(sink.stored.empty());
    drain();
    CHECK(sink.stored[0].position == covered);
    CHECK(std::ranges::count(sink.orders, order_id(20'000)) == 1);
  }

  TEST_CASE_FIXTURE(Fixture, "an order of an item without a code waits until the code is known") {
    orderlog::Reserve order = reserve(1);
    order.item = 1;
    append({order});
    CHECK(drainer().step() == Step::blocked);
    CHECK(contains(drainer().problem(), "item 1 has no code"));
    CHECK(sink.writes == 0);
    names.set(1, "seat");
    drain();
    CHECK(sink.orders.size() == 1);
  }

  TEST_CASE_FIXTURE(Fixture, "a command drains all at once and gives up when nothing goes in") {
    SystemClock real;
    for (uint64_t number = 1; number <= 10; ++number) log.append({reserve(number)});
    Drainer command(sink, names, real, {stream(log, marks, 0)});
    SUBCASE("the database answers") {
      int turns = 0;
      CHECK(command.drain_now(kSecond, [&] { ++turns; }));
      CHECK(sink.orders.size() == 10);
      CHECK(turns == 1);
    }
    SUBCASE("the database is away for a moment") {
      sink.plans = {{Outcome::retry, false}, {Outcome::retry, false}};
      CHECK(command.drain_now(60 * kSecond));
      CHECK(sink.orders.size() == 10);
    }
    SUBCASE("the database stays away") {
      sink.is_reachable = false;
      CHECK_FALSE(command.drain_now(30 * kMillisecond));
      CHECK(contains(command.problem(), "no route"));
    }
  }

  TEST_CASE_FIXTURE(Fixture, "stopping drains what is durable and says so") {
    SystemClock real;
    Drainer threaded(sink, names, real, {stream(log, marks, 0)});
    threaded.start();
    log.append({reserve(1), reserve(2)});
    marks.start_at(2);
    CHECK(threaded.stop(real.now().boot_ns + 60 * kSecond));
    CHECK(sink.orders.size() == 2);
    CHECK(marks.drained.get() == 2);
  }

  TEST_CASE_FIXTURE(Fixture, "stopping gives up at the deadline when the database is away") {
    sink.is_reachable = false;
    log.append({reserve(1)});
    SystemClock real;
    Drainer threaded(sink, names, real, {stream(log, marks, 0)});
    threaded.start();
    CHECK_FALSE(threaded.stop(real.now().boot_ns + 30 * kMillisecond));
    CHECK(sink.orders.empty());
  }

  TEST_CASE_FIXTURE(Fixture, "whatever fails and however often the database ends as the log") {
    const uint64_t seed = std::random_device{}();
    INFO("seed " << seed);
    std::mt19937_64 random(seed);
    constexpr uint64_t kOrders = 400;
    uint64_t number = 0;
    while (number < kOrders) {
      std::vector<orderlog::Record> records;
      for (uint64_t i = 0; i <= random() % 7 && number < kOrders; ++i)
        records.push_back(reserve(++number));
      append(std::move(records), random() % 5 == 0);
      if (random() % 3 == 0) {
        constexpr Outcome kOutcomes[] = {Outcome::retry, Outcome::unknown, Outcome::unknown};
        const size_t pick = random() % 3;
        sink.plans.push_back({kOutcomes[pick], pick == 2});
      }
      sink.is_reachable = random() % 4 != 0;
      if (random() % 10 == 0) made.reset();  // killed and started again
      for (int i = 0; i < 3; ++i) {
        drainer().step();
        clock.pass_ms(static_cast<int64_t>(random() % 50));
      }
    }
    sink.is_reachable = true;
    drain();
    REQUIRE(sink.orders.size() == kOrders);
    for (uint64_t i = 0; i < kOrders; ++i) REQUIRE(sink.orders[i] == order_id(i + 1));
  }

  TEST_CASE_FIXTURE(Fixture, "a node that was retired writes no more and says so") {
    append({reserve(1)});
    REQUIRE(drainer().reconcile().agreement == Agreement::agrees);
    sink.plans = {{.outcome = Outcome::fenced, .is_written = false}};
    CHECK_FALSE(drainer().is_fenced());
    CHECK(drainer().step() == Step::blocked);
    CHECK(drainer().is_fenced());
    CHECK(drainer().problem() == "as planned");
    for (int i = 0; i < 10; ++i) {
      clock.pass_ms(bounds::drain_retry_ms_max);
      CHECK(drainer().step() == Step::blocked);
    }
    CHECK(sink.writes == 1);
    CHECK(sink.orders.empty());
    // Nobody is kept waiting for what will never be written.
    CHECK_FALSE(drainer().drain_now(INT64_MAX));
    drainer().start();
    CHECK_FALSE(drainer().stop(INT64_MAX - 1));
    CHECK(sink.writes == 1);
  }
}
