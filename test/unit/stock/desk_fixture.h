// A desk with its journal, its ledger and its clock in the test's hands.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ledger/book.h"
#include "stock/desk.h"
#include "test_journal.h"

namespace stampede::stock {

class TestAnswers final : public AnswerSink {
 public:
  void deliver(const OrderAnswer& answer) override { answers.push_back(answer); }
  OrderAnswer take() {
    REQUIRE(!answers.empty());
    const OrderAnswer answer = answers.front();
    answers.erase(answers.begin());
    return answer;
  }
  std::vector<OrderAnswer> answers;
};

struct Fixture {
  static constexpr HashKey kKey{1, 2, 3};
  static constexpr uint32_t kOrdersMax = 1000;  // as many as one holding may have

  explicit Fixture(Units stock, Quantity limit = 0, int64_t pay_window_s = 10, uint32_t streams = 1)
      : state(kKey, kOrdersMax), catalog(kKey), book(streams) {
    ItemTerms terms;
    terms.id = 0;
    terms.code = std::string_view("ticket");
    terms.price = 100;
    terms.per_user_limit = limit;
    terms.pay_window_s = pay_window_s;
    catalog.upsert(terms);
    std::vector<StreamCount> counts(streams);
    REQUIRE(book.start(0, stock, 0, counts));
    now = {.wall_ns = 1'800'000'000 * kSecond, .boot_ns = 1'000 * kSecond};
    DeskSettings settings;
    settings.shard_count = streams;
    desk.emplace(settings, state, catalog, journal, answers, rates, 0, now);
  }

  OrderRequest create(const std::string& user, Quantity quantity = 1, const std::string& key = "") {
    OrderRequest request;
    request.kind = RequestKind::create;
    request.user = std::string_view(user);
    request.user_hash = keyed_hash(kKey, user);
    request.item = 0;
    request.quantity = quantity;
    request.key = std::string_view(key);
    request.key_hash = state.key_hash(request.key);
    return request;
  }
  OrderRequest about(RequestKind kind, OrderId order, const std::string& user = "") {
    OrderRequest request;
    request.kind = kind;
    request.order = order;
    if (kind == RequestKind::watch) request.wait_ms = bounds::wait_ms_max;
    request.user = std::string_view(user);
    request.user_hash = keyed_hash(kKey, user);
    return request;
  }
  OrderRequest payment(OrderId order, const std::string& id, Money amount = 100) {
    OrderRequest request = about(RequestKind::pay, order);
    request.payment = std::string_view(id);
    request.amount = amount;
    request.currency = {'C', 'N', 'Y'};
    return request;
  }

  void handle(const OrderRequest& request) { desk->handle(request, now); }
  // What a shard does between two turns: exchange with the ledger, make all records durable, let answers go.
  void turn() {
    for (int round = 0; round < 4; ++round) {
      LedgerAsk asks[8];
      const size_t count = desk->leases().collect_asks(~0u, asks, now);
      for (size_t i = 0; i < count; ++i) desk->take_news(book.ask(0, asks[i]).news, now);
      desk->release(journal.last);
    }
    desk->pass_time(now);
    desk->release(journal.last);
  }
  void pass(int64_t ms) {
    now.wall_ns += ms * kMillisecond;
    now.boot_ns += ms * kMillisecond;
    turn();
  }
  OrderAnswer ask(const OrderRequest& request) {
    handle(request);
    turn();
    return answers.take();
  }
  OrderAnswer buy(const std::string& user, Quantity quantity = 1, const std::string& key = "") {
    return ask(create(user, quantity, key));
  }
  // total = free + leased + reserved + paid, by the counters of both sides.
  bool adds_up(Units total) const {
    const StreamCount count = desk->leases().count(0);
    return book.free(0) + (book.granted(0, 0) - book.returned(0, 0)) == total &&
           count.accepted == count.returned + count.reserved + count.paid + count.pool;
  }

  StreamState state;
  Catalog catalog;
  ledger::Book book;
  TestJournal journal;
  TestAnswers answers;
  OrderRates rates;
  Moment now;
  std::optional<Desk> desk;
};

}  // namespace stampede::stock
