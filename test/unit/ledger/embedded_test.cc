#include "ledger/embedded.h"
#include "embedded_client.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

#include "../base/death.h"

namespace stampede::ledger {
namespace {

// A stream that keeps its own counters, as a desk does, and checks what it hears.
class Stream final : public EmbeddedClient {
 public:
  void take_news(const LedgerNews& news) override {
    CHECK(news.accepted >= counts.accepted);
    counts.pool += news.accepted - counts.accepted;
    counts.accepted = news.accepted;
    last = news;
  }
  StreamCount count(ItemId) override { return counts; }
  StreamCount counts;
  LedgerNews last;
};

struct Node {
  Node(uint32_t shards, Units stock) : lanes(shards), streams(shards) {
    for (uint32_t shard = 0; shard < shards; ++shard) {
      Book book(shards);
      REQUIRE(book.start(0, stock, 0, std::vector<StreamCount>(shards)));
      ledgers.push_back(std::make_unique<EmbeddedLedger>(shard, lanes, std::move(book)));
    }
  }
  void poll(uint32_t shard) { ledgers[shard]->poll(streams[shard], {}); }
  void settle() {
    for (int round = 0; round < 6; ++round)
      for (uint32_t shard = 0; shard < streams.size(); ++shard) poll(shard);
  }
  void ask(uint32_t shard, Units want) {
    const LedgerAsk ask{.item = 0,
                        .returned = streams[shard].counts.returned,
                        .pool = streams[shard].counts.pool,
                        .want = want};
    if (ledgers[shard]->ready_groups() != 0)
      ledgers[shard]->exchange(streams[shard], {&ask, 1}, {});
  }

  LedgerLanes lanes;
  std::vector<Stream> streams;
  std::vector<std::unique_ptr<EmbeddedLedger>> ledgers;
};

// What an audit says when the streams' counters are wrong in this way.
bool is_audit_ok(void (*spoil)(Node&)) {
  Node node(2, 10);
  for (uint32_t shard = 0; shard < 2; ++shard) node.ask(shard, 4);
  node.settle();
  for (uint32_t shard = 0; shard < 2; ++shard) {
    StreamCount& counts = node.streams[shard].counts;
    counts.pool -= 2, ++counts.paid, ++counts.returned;
    node.ask(shard, 0);
  }
  node.settle();
  spoil(node);
  REQUIRE(node.ledgers[0]->audit(0, 1));
  node.settle();
  const std::vector<AuditResult> results = node.ledgers[0]->take_audits();
  REQUIRE(results.size() == 1);
  return results[0].line.is_ok;
}

TEST_SUITE("ledger/embedded") {
  TEST_CASE("grants never exceed what is free and an exchange is answered once") {
    Node node(3, 10);
    for (uint32_t shard = 0; shard < 3; ++shard) node.ask(shard, 6);
    CHECK(node.ledgers[1]->ready_groups() == 0);
    node.settle();
    Units granted = 0;
    for (const Stream& stream : node.streams) granted += stream.counts.accepted;
    CHECK(granted == 10);
    for (const auto& ledger : node.ledgers) CHECK(ledger->ready_groups() == 1);
  }

  TEST_CASE("streams hear at once when the last unit is sold and when one comes back") {
    Node node(2, 1);
    node.ask(0, 1);
    node.ask(1, 0);
    node.settle();
    CHECK(node.streams[1].last.free == 0);
    CHECK(node.streams[1].last.pool_elsewhere == 1);  // unsold elsewhere: not sold out
    node.streams[0].counts.pool = 0;                  // sold
    node.streams[0].counts.reserved = 1;
    node.ask(0, 0);
    node.settle();
    CHECK(node.streams[1].last.pool_elsewhere == 0);  // without asking
    node.streams[0].counts.reserved = 0;
    node.streams[0].counts.returned = 1;
    node.ask(0, 0);
    node.settle();
    CHECK(node.streams[1].last.free == 1);
  }

  TEST_CASE("an audit in the middle of random traffic always adds up") {
    const unsigned seed = std::random_device{}();
    INFO("seed ", seed);
    std::mt19937 random(seed);
    constexpr Units kStock = 50;
    Node node(4, kStock);
    uint32_t ticket = 0, audits = 0;
    for (int step = 0; step < 40'000; ++step) {
      const uint32_t shard = random() % 4;
      StreamCount& counts = node.streams[shard].counts;
      switch (random() % 6) {
        case 0:
          node.ask(shard, random() % 5);
          break;
        case 1:
          if (counts.pool > 0) --counts.pool, ++counts.reserved;
          break;
        case 2:
          if (counts.reserved > 0) --counts.reserved, ++counts.paid;
          if (counts.paid > 5) --counts.paid, ++counts.pool;  // keeps stock moving
          break;
        case 3:
          if (counts.pool > 0) --counts.pool, ++counts.returned;
          break;
        case 4:
          (void)node.ledgers[0]->audit(0, ++ticket);
          break;
        case 5:
          node.poll(shard);
          break;
      }
      for (const AuditResult& result : node.ledgers[0]->take_audits()) {
        ++audits;
        CAPTURE(step);
        CHECK(result.line.is_ok);
        CHECK(result.line.total == kStock);
        REQUIRE(result.line.free + result.line.leased + result.line.reserved + result.line.paid ==
                kStock);
      }
    }
    CHECK(audits > 100);
  }

  TEST_CASE("an audit finds a unit that a stream sold twice") {
    Node node(2, 10);
    node.ask(0, 5);
    node.settle();
    node.streams[0].counts.reserved += 1;  // without taking it from the pool
    REQUIRE(node.ledgers[0]->audit(0, 1));
    node.settle();
    const std::vector<AuditResult> results = node.ledgers[0]->take_audits();
    REQUIRE(results.size() == 1);
    CHECK_FALSE(results[0].line.is_ok);
  }

  TEST_CASE("an audit finds faults that cancel each other out in the sum") {
    CHECK(is_audit_ok([](Node&) {}));
    CHECK_FALSE(is_audit_ok([](Node& node) {  // granted to one and accepted by the other
      ++node.streams[0].counts.accepted, ++node.streams[0].counts.pool;
      --node.streams[1].counts.accepted, --node.streams[1].counts.pool;
    }));
    CHECK_FALSE(is_audit_ok([](Node& node) {  // sold twice by one and not at all by the other
      ++node.streams[0].counts.paid;
      --node.streams[1].counts.paid;
    }));
    CHECK_FALSE(
        is_audit_ok([](Node& node) {  // a return that the book counts and the first does not
          --node.streams[0].counts.returned, ++node.streams[0].counts.pool;
        }));
    CHECK_FALSE(is_audit_ok([](Node& node) {  // nor the second
      --node.streams[1].counts.returned, ++node.streams[1].counts.pool;
    }));
  }

  TEST_CASE("audits under way are bounded and exchanges are one at a time") {
    Node node(1, 10);
    uint32_t begun = 0;
    while (begun < 1'000 && node.ledgers[0]->audit(0, begun)) ++begun;
    CHECK(begun == 64);
    node.settle();
    CHECK(node.ledgers[0]->take_audits().size() == 64);
    CHECK(node.ledgers[0]->audit(0, 1));
    const LedgerAsk ask{.item = 0};
    node.ledgers[0]->exchange(node.streams[0], {&ask, 1}, {});
    CHECK(death_of([&] {
            node.ledgers[0]->exchange(node.streams[0], {&ask, 1}, {});
          }).signal == SIGABRT);
  }

  TEST_CASE("a message that finds no room is a fault and the shard it goes to is rung") {
    Node node(2, 10);
    (void)node.ledgers[0]->take_touched();
    node.ledgers[0]->supply(0, 10);
    const uint64_t home = node.ledgers[0]->take_touched();
    CHECK((home == 1 || home == 2));
    CHECK(death_of([&] {
            for (uint32_t i = 0; i < 2 * bounds::ledger_slots; ++i) node.ledgers[0]->supply(0, 10);
          }).signal == SIGABRT);
  }

  TEST_CASE("news goes to streams that have asked and leaves room for exchanges") {
    Node node(3, 10);
    node.ask(1, 0);
    node.settle();
    node.ledgers[0]->supply(0, 13);
    node.settle();
    CHECK(node.streams[1].last.free == 13);  // without asking
    CHECK(node.streams[2].last.item == kNoItem);
    // A lane that is half full takes no more news.
    const uint32_t home = mix(ItemId{0}) % 3;
    Lane<LedgerMessage>& lane = node.lanes.lane(home, 1);
    while (lane.room() >= bounds::ledger_slots / 2)
      REQUIRE(lane.push({.kind = LedgerMessage::Kind::withdrawn, .from = uint16_t(home)}));
    const size_t room = lane.room();
    node.ledgers[0]->supply(0, 14);
    node.poll(home);
    CHECK(lane.room() == (home == 1 ? bounds::ledger_slots : room));
  }

  TEST_CASE("a withdrawal takes free units only and supply adds them") {
    Node node(2, 10);
    node.ask(1, 4);
    node.settle();
    node.ledgers[0]->withdraw(0, 7, 1);
    node.ledgers[0]->withdraw(0, 6, 2);
    node.settle();
    const std::vector<StockChange> done = node.ledgers[0]->take_changes();
    REQUIRE(done.size() == 2);
    CHECK(done[0].outcome == StockChange::Outcome::not_enough);
    CHECK(done[0].free == 6);
    CHECK(done[1].outcome == StockChange::Outcome::done);
    CHECK(done[1].free == 0);
    node.ledgers[0]->supply(0, 13);
    node.ask(0, 10);
    node.settle();
    CHECK(node.streams[0].counts.accepted == 3);
  }

  TEST_CASE("a book does not start when the logs hold more than was supplied") {
    Book book(2);
    std::vector<StreamCount> counts(2);
    counts[0] = {.accepted = 6};
    counts[1] = {.accepted = 6, .returned = 1};
    CHECK_FALSE(book.start(0, 10, 0, counts));
    CHECK(Book(2).start(0, 11, 0, counts));
  }
}

}  // namespace
}  // namespace stampede::ledger
