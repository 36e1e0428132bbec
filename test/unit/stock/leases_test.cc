// Leases of one or more streams over one book. That `sold_out` is only said when it is true has a case for every way in
// which a unit could be counted by nobody.
#include "stock/leases.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <random>
#include <string>

#include "../base/death.h"
#include "ledger/book.h"
#include "test_journal.h"

namespace stampede::stock {
namespace {

using orderlog::RecordType;
using Supply = Leases::Supply;

constexpr HashKey kKey{1, 2, 3};
constexpr int64_t ms(int64_t milliseconds) {
  return milliseconds * kMillisecond;
}

// A catalog with the items 0 and 1.
struct Items {
  Items() : catalog(kKey) {
    for (ItemId item = 0; item < 2; ++item) {
      ItemTerms terms;
      terms.id = item;
      terms.code = std::string_view(item == 0 ? "ticket" : "seat");
      catalog.upsert(terms);
    }
  }
  Catalog catalog;
};

// One stream: its state, its journal and its leases, without a desk.
struct Stream {
  Stream(const Items& items, Moment now, const LeaseSettings& settings = {})
      : state(kKey, 1'000), leases(settings, state, items.catalog, journal, now) {}

  OrderId sell(Quantity quantity, Moment now) {
    const OrderId id = OrderId::make(0, ++orders, 3);
    commit(journal, state,
           orderlog::Reserve{.order = id, .item = 0, .quantity = quantity, .user = "u"}, now);
    leases.on_sold(0, now);
    return id;
  }
  void cancel(OrderId order, Moment now) {
    commit(journal, state, orderlog::Cancel{.order = order}, now);
    leases.on_came_back(0, now);
  }
  void sync() { leases.on_durable(journal.last); }
  Units pool() const { return state.stock(0).pool(); }
  // Takes units as if the ledger had granted them.
  void grant(Units units, Moment now, Units free = 0) {
    leases.take_news({.item = 0,
                      .accepted = state.stock(0).accepted + units,
                      .returned = state.stock(0).returned,
                      .free = free},
                     now);
  }
  // What is asked about item 0; the item is kNoItem when nothing is.
  LedgerAsk ask(Moment now, uint32_t groups = ~0u) {
    LedgerAsk asks[4];
    for (size_t i = leases.collect_asks(groups, asks, now); i > 0; --i)
      if (asks[i - 1].item == 0) return asks[i - 1];
    return {};
  }
  bool is_asking(Moment now) { return ask(now).item != kNoItem; }
  void answer(const LedgerAsk& ask, Units free = 0, Units elsewhere = 0, Units granted = 0) {
    leases.take_news({.item = ask.item,
                      .accepted = ask.accepted + granted,
                      .returned = ask.returned,
                      .free = free,
                      .pool_elsewhere = elsewhere},
                     last_moment);
  }

  StreamState state;
  TestJournal journal;
  Leases leases;
  uint64_t orders = 0;
  Moment last_moment{.wall_ns = kSecond, .boot_ns = 1'000 * kSecond};
};

// Streams over one book.
struct Rig {
  Rig(uint32_t count, Units stock) : book(count) {
    REQUIRE(book.start(0, stock, 0, std::vector<StreamCount>(count)));
    for (uint32_t i = 0; i < count; ++i)
      streams.push_back(std::make_unique<Stream>(items, now, LeaseSettings{.stream_count = count}));
  }
  Stream& operator[](uint32_t stream) { return *streams[stream]; }
  void exchange(uint32_t stream) {
    LedgerAsk asks[4];
    Leases& leases = streams[stream]->leases;
    for (size_t i = leases.collect_asks(~0u, asks, now); i > 0; --i) {
      leases.take_news(book.ask(stream, asks[i - 1]).news, now);
      leases.report_if_scarce(asks[i - 1].item);
    }
  }
  // Leases so many units, as if an order waited for them.
  void lease(uint32_t stream, Units units) {
    const Units pool = streams[stream]->pool() + units;
    streams[stream]->leases.set_waiting(0, pool);
    streams[stream]->leases.ask_about(0);
    exchange(stream);
    streams[stream]->leases.set_waiting(0, 0);
    REQUIRE(streams[stream]->pool() >= pool);
  }
  void pass(int64_t milliseconds) {
    now.boot_ns += ms(milliseconds);
    for (uint32_t stream = 0; stream < streams.size(); ++stream) {
      streams[stream]->leases.return_idle(now);
      exchange(stream);
      streams[stream]->sync();
    }
  }
  void read(uint32_t stream) {
    streams[stream]->leases.ask_about(0);
    exchange(stream);
  }
  Supply supply(uint32_t stream, Quantity quantity = 1) {
    return streams[stream]->leases.supply_of(0, quantity, true, now);
  }

  Items items;
  ledger::Book book;
  Moment now{.wall_ns = kSecond, .boot_ns = 1'000 * kSecond};
  std::vector<std::unique_ptr<Stream>> streams;
};

// Streams over one book, with every message under way for as long as chance wants it, in the order of its lane. Knows how many
// units were unsold at every step. A unit that came back to a stream counts from the moment on at which the ledger knows it:
// until then only that stream can sell it, and that it came back has been acknowledged to nobody else.
class Crowd {
 public:
  explicit Crowd(unsigned seed) : random_(seed), rig_(upto(1, 3), upto(1, 3)) {
    lanes_.resize(rig_.streams.size());
    note();
  }

  void step() {
    rig_.now.boot_ns += ms(upto(0, 3));
    const uint32_t number = upto(0, lanes_.size() - 1);
    Stream& stream = rig_[number];
    Lane& lane = lanes_[number];
    switch (upto(0, 7)) {
      case 0:
        if (stream.pool() > 0) sell(stream, lane, upto(1, stream.pool()));
        break;
      case 1:
        if (!lane.orders.empty()) cancel(stream, lane);
        break;
      case 2:
        stream.leases.set_waiting(0, upto(0, 2));
        stream.leases.ask_about(0);
        break;
      case 3:
        send_ask(stream, lane);
        break;
      case 4:
        answer(number, lane);
        break;
      case 5:
      case 6:
        take_news(stream, lane);
        break;
      default:
        stream.leases.return_idle(rig_.now);
        stream.sync();
    }
    note();
  }

  // The first stream that says of so many units that they are gone, although there were so many at every moment since the ledger
  // made the news that the stream has; kNone: there is none.
  uint32_t liar(Quantity quantity) {
    for (uint32_t number = 0; number < lanes_.size(); ++number) {
      if (rig_[number].leases.supply_of(0, quantity, false, rig_.now) != Supply::gone) continue;
      said_gone += quantity == 1;
      const auto since = unsold_.begin() + static_cast<ptrdiff_t>(lanes_[number].news_step);
      if (std::all_of(since, unsold_.end(), [&](Units units) { return units >= quantity; }))
        return number;
    }
    return kNone;
  }
  int said_gone = 0;

 private:
  struct News {
    LedgerNews news;
    size_t step;
  };
  struct Lane {
    std::deque<LedgerAsk> asks;
    std::deque<News> news;
    std::deque<OrderId> orders;
    bool is_in_exchange = false;
    size_t news_step = 0;  // at which the last news was made
    Units unknown = 0,
          reported = 0;  // that came back: unknown to the ledger, and of them in the ask under way
  };

  void sell(Stream& stream, Lane& lane, Quantity quantity) {
    lane.orders.push_back(stream.sell(quantity, rig_.now));
    lane.unknown -= std::min<Units>(lane.unknown, quantity);
  }
  void cancel(Stream& stream, Lane& lane) {
    const Units before = stream.pool();
    stream.cancel(lane.orders.front(), rig_.now);
    lane.orders.pop_front();
    lane.unknown += stream.pool() - before;
  }

  uint32_t upto(uint64_t from, uint64_t to) {
    return std::uniform_int_distribution<uint32_t>(static_cast<uint32_t>(from),
                                                   static_cast<uint32_t>(to))(random_);
  }

  void send_ask(Stream& stream, Lane& lane) {
    if (lane.is_in_exchange) return;
    const LedgerAsk ask = stream.ask(rig_.now);
    if (ask.item == kNoItem) return;
    lane.is_in_exchange = true;
    lane.reported = lane.unknown;
    lane.asks.push_back(ask);
  }
  void answer(uint32_t number, Lane& lane) {
    if (lane.asks.empty()) return;
    const ledger::Book::Answer answer = rig_.book.ask(number, lane.asks.front());
    lane.asks.pop_front();
    lane.unknown -= std::min(lane.unknown, lane.reported);
    lane.news.push_back({answer.news, unsold_.size()});
    for (uint32_t other = 0; answer.concerns_others && other < lanes_.size(); ++other) {
      if (other == number || !rig_.book.is_interested(other, 0)) continue;
      LedgerNews news = rig_.book.news_for(other, 0);
      news.is_unasked = true;
      lanes_[other].news.push_back({news, unsold_.size()});
    }
  }
  void take_news(Stream& stream, Lane& lane) {
    if (lane.news.empty()) return;
    const News news = lane.news.front();
    lane.news.pop_front();
    if (!news.news.is_unasked) lane.is_in_exchange = false;
    lane.news_step = news.step;
    stream.leases.take_news(news.news, rig_.now);
    stream.leases.report_if_scarce(0);
  }
  void note() {
    Units gone = 0;
    for (uint32_t number = 0; number < lanes_.size(); ++number)
      gone += rig_[number].state.stock(0).reserved + lanes_[number].unknown;
    unsold_.push_back(rig_.book.total(0) - gone);
  }

  std::mt19937 random_;
  Rig rig_;
  std::vector<Lane> lanes_;
  std::vector<Units> unsold_;  // by step
};

TEST_SUITE("stock/leases") {
  // ---- what may be said of the stock ----

  TEST_CASE("units in the pool are for the one whose turn it is") {
    Rig rig(1, 2);
    rig.lease(0, 2);
    CHECK(rig[0].leases.supply_of(0, 2, true, rig.now) == Supply::here);
    CHECK(rig[0].leases.supply_of(0, 3, true, rig.now) == Supply::gone);
    CHECK(rig[0].leases.supply_of(0, 2, false, rig.now) == Supply::unknown);
  }

  TEST_CASE("nothing is certain before the first news also when the clock has just begun") {
    Items items;
    const Moment now{.boot_ns = ms(50)};
    Stream stream(items, now);
    CHECK(stream.leases.supply_of(0, 1, true, now) == Supply::unknown);
    CHECK_FALSE(stream.leases.glance(0, now).is_known);
  }

  TEST_CASE("news proves that nothing is left for a hundred milliseconds") {
    Rig rig(1, 0);
    rig.read(0);
    CHECK(rig.supply(0) == Supply::gone);
    rig.now.boot_ns += ms(bounds::sold_out_valid_ms);
    CHECK(rig.supply(0) == Supply::gone);
    rig.now.boot_ns += 1;
    CHECK(rig.supply(0) == Supply::unknown);
  }

  TEST_CASE("units that are free or unsold elsewhere are not gone") {
    Rig rig(2, 3);
    rig.lease(1, 2);
    rig.read(0);
    CHECK(rig[0].leases.unsold(0) == 3);
    CHECK(rig.supply(0, 3) == Supply::unknown);
    CHECK(rig.supply(0, 4) == Supply::gone);
    rig.lease(1, 1);
    rig.read(0);
    CHECK(rig.supply(0, 3) == Supply::unknown);
    rig[1].sell(3, rig.now);
    rig.read(1);
    rig.read(0);
    CHECK(rig.supply(0) == Supply::gone);
  }

  TEST_CASE("a unit sold since the ledger last looked counts until the ledger knows") {
    Rig rig(1, 1);
    rig.lease(0, 1);
    rig.read(0);
    rig[0].sell(1, rig.now);
    // Another stream may have got a unit back before this one was sold: then there was one at every moment.
    CHECK(rig.supply(0) == Supply::unknown);
    CHECK(rig[0].leases.unsold(0) == 1);
    rig.read(0);
    CHECK(rig.supply(0) == Supply::gone);
    CHECK(rig[0].leases.unsold(0) == 0);
  }

  TEST_CASE("a unit that was granted and sold at once counts until the ledger knows") {
    Items items;
    Stream stream(items, Moment{.boot_ns = kSecond});
    const Moment now = stream.last_moment;
    stream.leases.set_waiting(0, 1);
    stream.leases.ask_about(0);
    stream.answer(stream.ask(now), 0, 0, 1);
    stream.sell(1, now);
    CHECK(stream.leases.supply_of(0, 1, true, now) == Supply::unknown);
    stream.leases.set_waiting(0, 0);
    stream.answer(stream.ask(now));
    CHECK(stream.leases.supply_of(0, 1, true, now) == Supply::gone);
    CHECK(stream.leases.unsold(0) == 0);
  }

  TEST_CASE(
      "an order that comes before the ledger has heard that the last unit is sold is not refused") {
    Rig rig(2, 2);
    rig.lease(0, 1);
    rig.lease(1, 1);
    const OrderId other = rig[1].sell(1, rig.now);
    rig.read(1);
    rig.read(0);
    REQUIRE(rig[0].leases.unsold(0) == 1);
    // The other one's unit comes back, and the ledger knows it, before this one is sold: there is one at every moment.
    rig[1].cancel(other, rig.now);
    rig.exchange(1);
    rig[0].sell(1, rig.now);
    const LedgerAsk ask = rig[0].ask(rig.now);
    REQUIRE(ask.pool == 0);
    CHECK(rig.supply(0) == Supply::unknown);
    rig[0].leases.take_news(rig.book.ask(0, ask).news, rig.now);
    CHECK(rig.supply(0) == Supply::unknown);
    CHECK(rig[0].leases.unsold(0) == 1);
  }

  TEST_CASE(
      "a unit that came and went while an ask was under way counts until the next one is "
      "answered") {
    Items items;
    Stream stream(items, Moment{.boot_ns = kSecond});
    const Moment now = stream.last_moment;
    stream.grant(1, now);
    const OrderId order = stream.sell(1, now);
    stream.answer(stream.ask(now));
    REQUIRE(stream.leases.supply_of(0, 1, true, now) == Supply::gone);
    stream.leases.ask_about(0);
    const LedgerAsk ask = stream.ask(now);
    stream.cancel(order, now);
    stream.sell(1, now);
    stream.answer(ask);
    CHECK(stream.leases.supply_of(0, 1, true, now) == Supply::unknown);
    stream.leases.report_if_scarce(0);
    stream.answer(stream.ask(now));
    CHECK(stream.leases.supply_of(0, 1, true, now) == Supply::gone);
  }

  TEST_CASE("whatever is under way units are gone only when there was a moment without them") {
    const unsigned first = std::random_device{}();
    int said_gone = 0;
    for (unsigned seed = first; seed != first + 200; ++seed) {
      INFO("seed ", seed);
      Crowd crowd(seed);
      for (int step = 0; step < 500; ++step) {
        crowd.step();
        for (const Quantity quantity : {1, 2}) REQUIRE(crowd.liar(quantity) == kNone);
      }
      said_gone += crowd.said_gone;
    }
    CHECK(said_gone > 1'000);
  }

  TEST_CASE("a pool that a restart finds counts until the ledger knows that it is sold") {
    Items items;
    Stream before(items, Moment{.boot_ns = kSecond});
    before.grant(1, before.last_moment);
    TestJournal journal;
    const Moment now = before.last_moment;
    Leases leases({}, before.state, items.catalog, journal, now);
    leases.take_news({.item = 0, .accepted = 1, .is_unasked = true}, now);
    commit(
        journal, before.state,
        orderlog::Reserve{.order = OrderId::make(0, 1, 3), .item = 0, .quantity = 1, .user = "u"},
        now);
    CHECK(leases.unsold(0) == 1);
  }

  TEST_CASE("units on their way back count until the ledger has them") {
    Rig rig(1, 2);
    rig.lease(0, 2);
    rig.now.boot_ns += ms(bounds::idle_pool_ms);
    rig[0].leases.return_idle(rig.now);
    REQUIRE(rig[0].pool() == 0);
    rig.read(0);  // before the return is durable: the ledger cannot count it
    CHECK(rig[0].leases.unsold(0) == 2);
    CHECK(rig.book.free(0) == 0);
    rig[0].sync();
    CHECK(rig[0].leases.unsold(0) == 2);
    rig.exchange(0);
    CHECK(rig.book.free(0) == 2);
    CHECK(rig[0].leases.unsold(0) == 2);
  }

  TEST_CASE("news that crosses an ask counts the pool as it was since the last answer") {
    Items items;
    Stream stream(items, Moment{.boot_ns = kSecond});
    const Moment now = stream.last_moment;
    stream.grant(1, now);
    stream.leases.ask_about(0);
    stream.answer(stream.ask(now));
    stream.sell(1, now);
    const LedgerAsk ask = stream.ask(now);
    REQUIRE(ask.pool == 0);
    // It may have been made before the unit was sold.
    for (int i = 0; i < 2; ++i) {
      stream.leases.take_news({.item = 0, .accepted = 1, .is_unasked = true}, now);
      CHECK(stream.leases.supply_of(0, 1, true, now) == Supply::unknown);
    }
    stream.answer(ask);
    CHECK(stream.leases.supply_of(0, 1, true, now) == Supply::gone);
    // Where nothing has been since the last answer, unasked news is as good as an answer.
    stream.leases.ask_about(0);
    REQUIRE(stream.is_asking(now));
    Moment later = now;
    later.boot_ns += ms(bounds::sold_out_valid_ms + 1);
    REQUIRE(stream.leases.supply_of(0, 1, true, later) == Supply::unknown);
    stream.leases.take_news({.item = 0, .accepted = 1, .is_unasked = true}, later);
    CHECK(stream.leases.supply_of(0, 1, true, later) == Supply::gone);
  }

  TEST_CASE(
      "a buyer who only looks is shown the last news with its age and old news is read again") {
    Rig rig(2, 5);
    rig.lease(1, 2);
    CHECK_FALSE(rig[0].leases.glance(0, rig.now).is_known);
    rig.exchange(0);  // the glance has asked
    CHECK(rig[0].leases.glance(0, rig.now).available == 5);
    CHECK_FALSE(rig[0].is_asking(rig.now));
    rig.now.boot_ns += kSecond / 2 + 1;
    CHECK(rig[0].leases.glance(0, rig.now).is_known);
    CHECK(rig[0].is_asking(rig.now));
    rig.now.boot_ns += kSecond / 2;
    CHECK(rig[0].leases.glance(0, rig.now).available == 5);
    CHECK(rig[0].leases.glance(0, rig.now).age_ns == kSecond + 1);
    CHECK(rig[0].leases.glance(0, rig.now).is_news_coming);
    rig[0].leases.set_available_groups(0);
    CHECK_FALSE(rig[0].leases.glance(0, rig.now).is_news_coming);
  }

  // ---- asks ----

  TEST_CASE("an item is asked about once however often that is wished") {
    Items items;
    Stream stream(items, Moment{.boot_ns = kSecond});
    for (int i = 0; i < 3; ++i) stream.leases.ask_about(0);
    CHECK(stream.leases.asking_groups() == 1);
    LedgerAsk asks[4];
    CHECK(stream.leases.collect_asks(~0u, asks, stream.last_moment) == 1);
    CHECK(stream.leases.asking_groups() == 0);
    CHECK_FALSE(stream.is_asking(stream.last_moment));
    stream.leases.ask_about(0);
    CHECK(stream.is_asking(stream.last_moment));
  }

  TEST_CASE("no more is asked at a time than there is room for") {
    Items items;
    Stream stream(items, Moment{.boot_ns = kSecond});
    stream.leases.ask_about(0);
    stream.leases.ask_about(1);
    LedgerAsk asks[1];
    CHECK(stream.leases.collect_asks(~0u, asks, stream.last_moment) == 1);
    CHECK(stream.leases.collect_asks(~0u, asks, stream.last_moment) == 1);
    CHECK(stream.leases.collect_asks(~0u, asks, stream.last_moment) == 0);
  }

  TEST_CASE("only news older than was said is read again") {
    Rig rig(1, 0);
    rig.read(0);
    rig.now.boot_ns += ms(50) - 1;
    rig[0].leases.ask_if_older(0, 50, rig.now);
    CHECK(rig[0].leases.asking_groups() == 0);
    rig.now.boot_ns += 1;
    rig[0].leases.ask_if_older(0, 50, rig.now);
    CHECK(rig[0].leases.asking_groups() == 1);
  }

  TEST_CASE("a return that is not durable is asked about as units held") {
    Rig rig(1, 2);
    rig.lease(0, 2);
    REQUIRE(rig[0].leases.return_all());
    rig[0].leases.ask_about(0);
    LedgerAsk ask = rig[0].ask(rig.now);
    CHECK(ask.accepted == 2);
    CHECK(ask.returned == 0);
    CHECK(ask.pool == 2);
    CHECK(rig[0].leases.durable_count(0).returned == 0);
    CHECK(rig[0].leases.durable_count(0).pool == 2);
    rig[0].leases.on_durable(rig[0].journal.last - 1);
    CHECK(rig[0].leases.durable_count(0).returned == 0);
    CHECK(rig[0].leases.is_returning());
    rig[0].sync();
    CHECK_FALSE(rig[0].leases.is_returning());
    ask = rig[0].ask(rig.now);  // it is reported without being asked for
    CHECK(ask.returned == 2);
    CHECK(ask.pool == 0);
  }

  TEST_CASE("what a line waits for is asked for beyond what the pool holds") {
    Rig rig(1, 100);
    rig.lease(0, 3);
    rig[0].leases.set_waiting(0, 5);
    rig[0].leases.ask_about(0);
    CHECK(rig[0].ask(rig.now).want == 2);
    rig[0].leases.set_waiting(0, 2);
    rig[0].leases.ask_about(0);
    CHECK(rig[0].ask(rig.now).want == 0);
  }

  TEST_CASE("without room for the record of a grant nothing is asked for") {
    Items items;
    Stream stream(items, Moment{.boot_ns = kSecond});
    stream.leases.set_waiting(0, 5);
    stream.leases.ask_about(0);
    stream.journal.has_room = false;
    CHECK(stream.ask(stream.last_moment).want == 0);
  }

  TEST_CASE("lookahead is two per cent of what is free for all streams together") {
    Items items;
    Stream stream(items, Moment{.boot_ns = kSecond}, {.stream_count = 4, .lease_max = 30});
    Moment now = stream.last_moment;
    const auto want = [&](Units free) {
      stream.leases.take_news({.item = 0, .free = free}, now);
      stream.leases.ask_about(0);
      return stream.ask(now).want;
    };
    CHECK(want(2'000) == 0);  // no demand yet
    stream.leases.note_demand(0, now);
    CHECK(want(2'000) == 10);
    CHECK(want(200) == 1);
    CHECK(want(199) == 0);  // scarce: exactly what the line waits for
    CHECK(want(1'000'000) == 30);
    now.boot_ns += ms(bounds::idle_pool_ms) - 1;
    CHECK(want(2'000) == 10);
    now.boot_ns += 1;
    CHECK(want(2'000) == 0);  // an idle pool that was given back is not leased again
    stream.leases.note_demand(0, now);
    stream.leases.set_lease_max(7);
    CHECK(want(2'000) == 7);
    stream.leases.begin_epoch(1, 40);
    CHECK(want(2'000) == 1);
    stream.leases.set_stopping(true);
    CHECK(want(2'000'000) == 0);
  }

  TEST_CASE("the next units are asked for when half of those leased ahead are sold") {
    Items items;
    Stream stream(items, Moment{.boot_ns = kSecond});
    const Moment now = stream.last_moment;
    stream.leases.note_demand(0, now);
    stream.grant(10, now, 500);  // lookahead 10
    stream.sell(5, now);
    CHECK_FALSE(stream.is_asking(now));
    stream.sell(1, now);
    CHECK(stream.is_asking(now));
  }

  TEST_CASE("a change here is reported at once while nothing is free") {
    Items items;
    Stream stream(items, Moment{.boot_ns = kSecond});
    const Moment now = stream.last_moment;
    stream.grant(3, now, 1'000);
    const OrderId order = stream.sell(1, now);
    stream.leases.report_if_scarce(0);
    stream.cancel(order, now);
    CHECK_FALSE(stream.is_asking(now));
    stream.grant(0, now, 0);
    stream.leases.report_if_scarce(0);
    CHECK_FALSE(stream.is_asking(now));  // nothing has changed
    const OrderId second = stream.sell(1, now);
    CHECK(stream.is_asking(now));
    stream.cancel(second, now);
    CHECK(stream.is_asking(now));
    stream.grant(0, now, 0);
    CHECK_FALSE(stream.is_asking(now));
    commit(
        stream.journal, stream.state,
        orderlog::Reserve{.order = OrderId::make(0, 9, 3), .item = 0, .quantity = 1, .user = "u"},
        now);
    stream.leases.report_if_scarce(0);
    CHECK(stream.is_asking(now));
  }

  TEST_CASE("a unit that comes back and is taken at once by the line is no news") {
    Items items;
    Stream stream(items, Moment{.boot_ns = kSecond});
    stream.leases.on_came_back(0, stream.last_moment);  // the pool is empty
    CHECK_FALSE(stream.is_asking(stream.last_moment));
    CHECK(stream.leases.quiet_until_ns() == INT64_MAX);
  }

  // ---- grants ----

  TEST_CASE("news that was repeated or is older grants nothing") {
    Items items;
    Stream stream(items, Moment{.boot_ns = kSecond});
    stream.grant(5, stream.last_moment);
    const Lsn last = stream.journal.last;
    stream.grant(0, stream.last_moment);
    stream.leases.take_news({.item = 0, .accepted = 3, .is_unasked = true}, stream.last_moment);
    CHECK(stream.journal.last == last);
    CHECK(stream.pool() == 5);
    CHECK(stream.leases.stats().grants == 1);
    CHECK(stream.leases.stats().units_granted == 5);
  }

  TEST_CASE("a ledger that counts returns nobody has made durable is a fault") {
    Rig rig(1, 2);
    rig.lease(0, 2);
    REQUIRE(rig[0].leases.return_all());
    const Death death = death_of([&] {
      rig[0].leases.take_news({.item = 0, .accepted = 2, .returned = 2, .free = 2}, rig.now);
    });
    CHECK(death.signal == SIGABRT);
    rig[0].sync();
    rig.exchange(0);
    CHECK(rig[0].leases.unsold(0) == 2);
  }

  TEST_CASE("a record that does not follow from the state is a fault") {
    Items items;
    Stream stream(items, Moment{.boot_ns = kSecond});
    const Death death = death_of([&] {
      commit(stream.journal, stream.state, orderlog::GiveBack{.item = 0, .returned = 1},
             stream.last_moment);
    });
    CHECK(death.signal == SIGABRT);
  }

  // ---- giving back ----

  TEST_CASE("a pool goes back whole when it was not asked for in fifty milliseconds") {
    Rig rig(1, 10'000);
    rig[0].leases.note_demand(0, rig.now);
    rig.lease(0, 4);
    const Moment demand = rig.now;
    rig.now.boot_ns += ms(bounds::idle_pool_ms) - 1;
    rig[0].leases.return_idle(rig.now);
    CHECK(rig[0].pool() == 4);
    rig.now = demand;
    rig.now.boot_ns += ms(bounds::idle_pool_ms);
    CHECK(rig[0].leases.quiet_until_ns() <= rig.now.boot_ns);
    rig[0].leases.return_idle(rig.now);
    CHECK(rig[0].pool() == 0);
    CHECK(rig[0].leases.stats().units_returned == 4);
    CHECK(rig[0].journal.types.back() == RecordType::give_back);
  }

  TEST_CASE("a pool has its fifty milliseconds also when nothing was ever asked for here") {
    Rig rig(1, 10'000);
    rig.lease(0, 4);
    rig[0].leases.return_idle(rig.now);
    CHECK(rig[0].pool() == 4);
  }

  TEST_CASE("an item waits for one look at a time") {
    Rig rig(1, 10'000);
    rig.lease(0, 4);
    rig.now.boot_ns += ms(10);
    rig[0].sell(1, rig.now);  // would be looked at ten milliseconds later, once more
    rig.now.boot_ns += ms(bounds::idle_pool_ms - 10);
    rig[0].leases.return_idle(rig.now);
    CHECK(rig[0].pool() == 0);
    CHECK(rig[0].leases.quiet_until_ns() == INT64_MAX);
  }

  TEST_CASE("a pool that is asked for stays and is looked at again") {
    Rig rig(1, 10'000);
    rig.lease(0, 4);
    rig.now.boot_ns += ms(bounds::idle_pool_ms);
    rig[0].leases.note_demand(0, rig.now);
    rig[0].leases.return_idle(rig.now);
    CHECK(rig[0].pool() == 4);
    rig.now.boot_ns += ms(bounds::idle_pool_ms);
    rig[0].leases.return_idle(rig.now);
    CHECK(rig[0].pool() == 0);
  }

  TEST_CASE("a pool stays while the ledger cannot be reached and goes back afterwards") {
    Rig rig(1, 10'000);
    rig.lease(0, 4);
    rig[0].leases.set_available_groups(0);
    CHECK_FALSE(rig[0].leases.is_ledger_available(0));
    for (int i = 0; i < 3; ++i) {
      rig.now.boot_ns += ms(bounds::idle_pool_ms);
      rig[0].leases.return_idle(rig.now);
      CHECK(rig[0].pool() == 4);
    }
    rig[0].leases.set_available_groups(1);
    rig.now.boot_ns += ms(bounds::idle_pool_ms);
    rig[0].leases.return_idle(rig.now);
    CHECK(rig[0].pool() == 0);
  }

  TEST_CASE("a pool waits for room in the log") {
    Rig rig(1, 10'000);
    rig.lease(0, 4);
    rig[0].journal.has_room = false;
    rig.now.boot_ns += ms(bounds::idle_pool_ms);
    rig[0].leases.return_idle(rig.now);
    CHECK_FALSE(rig[0].leases.return_all());
    CHECK(rig[0].pool() == 4);
    rig[0].journal.has_room = true;
    rig[0].leases.return_idle(rig.now);
    CHECK(rig[0].pool() == 0);
  }

  TEST_CASE("two streams that hold half an order each let go of it so that one is served") {
    Rig rig(2, 2);
    rig.lease(0, 1);
    rig.lease(1, 1);
    for (uint32_t stream = 0; stream < 2; ++stream) {
      rig[stream].leases.note_demand(0, rig.now);
      rig[stream].leases.set_waiting(0, 2);
      rig.read(stream);  // nothing is free
    }
    rig.now.boot_ns += ms(bounds::idle_pool_ms);
    for (uint32_t stream = 0; stream < 2; ++stream) {
      rig[stream].leases.note_demand(0, rig.now);  // the demand never ends
      rig[stream].leases.return_idle(rig.now);
      CHECK(rig[stream].state.stock(0).returned == 1);
    }
    rig[1].leases.set_waiting(0, 0);  // its buyer has waited for too long
    for (int turns = 0; rig[0].pool() < 2; ++turns) {
      REQUIRE(turns < 20);
      rig[0].leases.note_demand(0, rig.now);
      rig[0].leases.ask_if_older(0, 5, rig.now);
      rig.pass(10);
    }
    CHECK(rig.supply(0, 2) == Supply::here);
  }

  TEST_CASE("of two streams that hold half an order each one is served though both go on waiting") {
    // Orders of two, and larger ones whose parts are not equal.
    for (const Units quantity : {2, 3, 4}) {
      CAPTURE(quantity);
      Rig rig(2, quantity);
      rig.lease(0, 1);
      rig.lease(1, quantity - 1);
      for (uint32_t stream = 0; stream < 2; ++stream) {
        rig[stream].leases.note_demand(0, rig.now);
        rig[stream].leases.set_waiting(0, quantity);
        rig.read(stream);  // nothing is free
      }
      for (int passes = 0; rig[0].pool() < quantity && rig[1].pool() < quantity; ++passes) {
        REQUIRE(passes < 20);
        for (uint32_t stream = 0; stream < 2; ++stream) {
          rig[stream].leases.note_demand(0, rig.now);  // the demand never ends
          rig[stream].leases.ask_if_older(0, 5, rig.now);
        }
        rig.pass(10);
      }
      CHECK((rig.supply(0, quantity) == Supply::here || rig.supply(1, quantity) == Supply::here));
    }
  }

  TEST_CASE("a stream that let go asks for units again when there are enough or fewer are needed") {
    Items items;
    Stream stream(items, Moment{.boot_ns = kSecond});
    Moment now = stream.last_moment;
    stream.leases.note_demand(0, now);
    stream.leases.set_waiting(0, 5);
    stream.grant(2, now);
    now.boot_ns += ms(bounds::idle_pool_ms);
    stream.leases.note_demand(0, now);
    stream.leases.return_idle(now);
    stream.sync();
    REQUIRE(stream.state.stock(0).returned == 2);
    LedgerAsk ask = stream.ask(now);
    CHECK(ask.returned == 2);
    CHECK(ask.want == 0);
    stream.answer(ask, 4);
    CHECK_FALSE(stream.leases.has_free(0));  // asking at once would tell nothing new
    stream.leases.ask_about(0);
    ask = stream.ask(now);
    CHECK(ask.want == 0);
    stream.answer(ask, 5);
    CHECK(stream.leases.has_free(0));
    stream.leases.ask_about(0);
    ask = stream.ask(now);
    CHECK(ask.want == 5);
    stream.answer(ask, 4);
    stream.leases.ask_about(0);
    CHECK(stream.ask(now).want == 0);
    stream.leases.set_waiting(0, 5, 4);  // an order of four has come to the head of the line
    stream.leases.ask_about(0);
    CHECK(stream.ask(now).want == 5);
    stream.leases.set_waiting(0, 5);
    stream.leases.on_sold(0, now);  // what came was of use
    stream.leases.ask_about(0);
    CHECK(stream.ask(now).want == 5);
  }

  TEST_CASE("units that are of no use here go back also while some are free") {
    Rig rig(2, 3);
    rig.lease(0, 1);
    rig.lease(1, 1);
    for (uint32_t stream = 0; stream < 2; ++stream) {
      rig[stream].leases.note_demand(0, rig.now);
      rig[stream].leases.set_waiting(0, 3);
    }
    for (int passes = 0; rig[0].pool() < 3 && rig[1].pool() < 3; ++passes) {
      REQUIRE(passes < 20);
      for (uint32_t stream = 0; stream < 2; ++stream) {
        rig[stream].leases.note_demand(0, rig.now);
        rig[stream].leases.ask_if_older(0, 5, rig.now);
      }
      rig.pass(10);
    }
  }

  TEST_CASE("a pool behind which a line waits stays while more is free") {
    Rig rig(1, 10'000);
    rig.lease(0, 4);
    rig.now.boot_ns += ms(bounds::idle_pool_ms);
    rig[0].leases.note_demand(0, rig.now);
    rig[0].leases.set_waiting(0, 6);
    rig[0].leases.return_idle(rig.now);
    CHECK(rig[0].pool() == 4);
  }

  TEST_CASE(
      "a pool that was sold without the ledger's knowledge is reported within fifty milliseconds") {
    Rig rig(1, 10'000);
    rig.lease(0, 4);
    rig.read(0);
    rig[0].leases.note_demand(0, rig.now);
    commit(
        rig[0].journal, rig[0].state,
        orderlog::Reserve{.order = OrderId::make(0, 1, 3), .item = 0, .quantity = 4, .user = "u"},
        rig.now);
    CHECK(rig[0].leases.asking_groups() == 0);
    rig.now.boot_ns += ms(bounds::idle_pool_ms);
    rig[0].leases.return_idle(rig.now);
    CHECK(rig[0].ask(rig.now).pool == 0);
  }

  TEST_CASE("what a restart finds given back is durable and its pool is given back") {
    Items items;
    Stream before(items, Moment{.boot_ns = kSecond});
    before.grant(5, before.last_moment);
    REQUIRE(before.leases.return_all());
    before.sync();
    before.grant(3, before.last_moment);
    TestJournal journal;
    const Moment now = before.last_moment;
    Leases leases({}, before.state, items.catalog, journal, now);
    CHECK(leases.durable_count(0).returned == 5);
    CHECK(leases.durable_count(0).pool == 3);
    CHECK(leases.unsold(0) == 3);
    leases.return_idle(now);
    CHECK(before.state.stock(0).pool() == 0);
  }

  // ---- groups and epochs ----

  TEST_CASE("an epoch asks about every item of its groups and no other") {
    Items items;
    const uint32_t group = group_of("ticket", 16), other = group_of("seat", 16);
    REQUIRE(group != other);
    Stream stream(items, Moment{.boot_ns = kSecond}, {.group_count = 16});
    stream.leases.begin_epoch(1u << group, 3);
    CHECK(stream.leases.asking_groups() == 1u << group);
    CHECK_FALSE(stream.ask(stream.last_moment, 1u << other).item == 0);
    const LedgerAsk ask = stream.ask(stream.last_moment, 1u << group);
    CHECK(ask.item == 0);
    CHECK(ask.group == group);
    stream.leases.begin_epoch(1u << group | 1u << other, 3);
    LedgerAsk asks[4];
    REQUIRE(stream.leases.collect_asks(1u << std::max(group, other), asks, stream.last_moment) ==
            1);
    CHECK(asks[0].group == std::max(group, other));
    stream.leases.set_available_groups(1u << other);
    CHECK_FALSE(stream.leases.is_ledger_available(0));
    CHECK(stream.leases.is_ledger_available(1));
  }

  TEST_CASE("an exchange that is lost with its epoch is made up for by the next one") {
    Items items;
    Stream stream(items, Moment{.boot_ns = kSecond});
    const Moment now = stream.last_moment;
    stream.grant(1, now);
    stream.leases.ask_about(0);
    (void)stream.ask(now);  // never answered
    stream.sell(1, now);
    stream.leases.begin_epoch(1, 1);
    // Its answer may have been made before the unit was sold, as that of the lost one would have been.
    stream.answer(stream.ask(now));
    CHECK(stream.leases.supply_of(0, 1, true, now) == Supply::unknown);
    stream.leases.report_if_scarce(0);
    stream.answer(stream.ask(now));
    CHECK(stream.leases.supply_of(0, 1, true, now) == Supply::gone);
  }
}

}  // namespace
}  // namespace stampede::stock
