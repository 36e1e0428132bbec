#include "shard/order_lists.h"

#include <utility>

namespace stampede::shard {

// A place may have had another list before: the serial tells.
OrderLists::List* OrderLists::find(const ReplyTo& place) {
  const auto list = lists_.find(place.place);
  if (list == lists_.end() || list->second.request.reply_to.serial != place.serial) return nullptr;
  return &list->second;
}

void OrderLists::begin(const OrderRequest& request) {
  CHECK(request.kind == RequestKind::list);
  CHECK(!lists_.contains(request.reply_to.place));
  if (answers_.text_bytes() > kUnwrittenBytesMax)
    return answers_.refuse(request.reply_to, {.verdict = Verdict::overloaded});
  lists_[request.reply_to.place].request = request;
  if (answers_.is_first(request.reply_to)) take_turn(request.reply_to);
}

void OrderLists::take_turn(const ReplyTo& place) {
  CHECK(find(place) != nullptr);
  queue_.push_back(place);
}

void OrderLists::abandon(const ReplyTo& place) {
  if (find(place) != nullptr) erase(place.place);
}

void OrderLists::erase(uint32_t place) {
  const auto list = lists_.find(place);
  CHECK(list != lists_.end());
  if (list->second.is_under_way) --under_way_;
  lists_.erase(list);
}

void OrderLists::start_waiting() {
  while (!queue_.empty() && under_way_ < kUnderWayMax) {
    const ReplyTo place = queue_.front();
    queue_.pop_front();
    List* const list = find(place);
    if (list == nullptr) continue;  // its connection has gone
    list->is_under_way = true;
    ++under_way_;
    asks_.push_back(place);
  }
}

// Null: every list waits for an answer.
const OrderRequest* OrderLists::next_question() {
  start_waiting();
  while (!asks_.empty()) {
    const ReplyTo place = asks_.front();
    asks_.pop_front();
    if (const List* list = find(place)) return &list->request;
  }
  return nullptr;
}

void OrderLists::give_up(const ReplyTo& place) {
  if (find(place) == nullptr) return;
  erase(place.place);
  answers_.refuse(place, {.verdict = Verdict::overloaded});
}

void OrderLists::take(const OrderAnswer& answer) {
  CHECK(answer.kind == RequestKind::list);
  List* const list = find(answer.reply_to);
  if (list == nullptr) return;
  if (answer.verdict != Verdict::ok) {
    erase(answer.reply_to.place);
    return answers_.complete(answer);
  }
  if (answer.has_order) {
    list->json.append(answer.order, catalog_.code(answer.order.item));
    list->request.order = answer.order.id;
    if (answer.has_more && ++list->count < bounds::list_orders_max)
      return asks_.push_back(answer.reply_to);
  }
  TextAnswer text{.body = std::string(list->json.finish())};
  erase(answer.reply_to.place);
  answers_.complete(answer.reply_to, std::move(text));
}

}  // namespace stampede::shard
