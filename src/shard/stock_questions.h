// GET /v1/items/{code}/stock: what the last news of the ledger says, with its age when that is more than a second.
//
// A question never asks the ledger and waits for it when something is known: a shared ledger may be away for minutes,
// and a page that shows a number must not fail with it. Only while fresh news is on its way, or when there has never
// been any, a question waits, for that event or for its deadline, whichever comes first.
//
// Belongs to its shard's thread.
#pragma once

#include <deque>
#include <unordered_map>

#include "shard/answers.h"
#include "shard/orders.h"
#include "stock/catalog.h"

namespace stampede::shard {

class StockQuestions {
 public:
  StockQuestions(Answers& answers, const stock::Catalog& catalog, Orders& orders)
      : answers_(answers), catalog_(catalog), orders_(orders) {}

  void ask(const ReplyTo& place, ItemId item, Moment now);
  // The ledger has said something of an item.
  void on_news(ItemId item, Moment now) {
    if (!waiting_.empty()) answer_waiting(item, now);
  }
  // Deadlines. Once per turn.
  void pass_time(Moment now);
  int64_t quiet_until_ns() const {
    return deadlines_.empty() ? INT64_MAX : deadlines_.front().boot_ns;
  }

 private:
  struct Deadline {
    ItemId item;
    ReplyTo place;
    int64_t boot_ns;
  };

  void answer_waiting(ItemId item, Moment now);
  void answer(const ReplyTo& place, ItemId item, const Orders::Glance& glance, Moment now);

  Answers& answers_;
  const stock::Catalog& catalog_;
  Orders& orders_;
  std::unordered_map<ItemId, std::deque<ReplyTo>> waiting_;  // never an empty line
  std::deque<Deadline> deadlines_;  // the earliest first; of answered questions, too
};

}  // namespace stampede::shard
