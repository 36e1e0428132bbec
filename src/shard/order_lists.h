// Lists of a user's orders: GET /v1/orders?item=CODE, up to a thousand orders, newest first.
//
// The home shard gives one order for a question, so a list is made of as many questions, each naming the last order
// that came. A list begins when every answer in front of it has been written, so a connection has one under way and not
// 64. Some lists are made at a time and the others wait; all of them together ask a fixed number of questions a turn,
// in turn. So a thousand long lists take a thousand turns of others' orders not one pause, and their memory is bounded:
// a list is refused as overloaded while finished answers that clients do not take hold kUnwrittenBytesMax.
//
//   begin() ─▶ waits for its place in the line ─take_turn()─▶ queue_ ─▶ asks_ ⇄ home shard ─▶ answered
//
// Belongs to its shard's thread.
#pragma once

#include <deque>
#include <unordered_map>

#include "http/response.h"
#include "shard/answers.h"
#include "stock/catalog.h"

namespace stampede::shard {

class OrderLists {
 public:
  static constexpr uint32_t kQuestionsPerTurn = 256;  // of all lists: some 100 µs
  static constexpr uint32_t kUnderWayMax = 64;        // others wait; a list takes up to 210 KB
  // Of finished answers that clients have not taken; beyond it no list is begun.
  static constexpr size_t kUnwrittenBytesMax = 256 * 1024 * 1024;

  OrderLists(Answers& answers, const stock::Catalog& catalog)
      : answers_(answers), catalog_(catalog) {}

  // `request` names user and item; its place waits.
  void begin(const OrderRequest& request);
  void take_turn(const ReplyTo& place);
  void abandon(const ReplyTo& place);
  // An answer of the home shard.
  void take(const OrderAnswer& answer);

  // Once per turn: submit(request) for each question of the turn's share; false: there is no credit.
  template <typename Submit>
  void pass_time(Submit submit) {
    for (uint32_t budget = kQuestionsPerTurn; budget > 0; --budget) {
      const OrderRequest* request = next_question();
      if (request == nullptr) return;
      // A copy: an answer within the call may end the list.
      if (const OrderRequest question = *request; !submit(question)) give_up(question.reply_to);
    }
  }

  bool has_work() const { return !asks_.empty() || (!queue_.empty() && under_way_ < kUnderWayMax); }

 private:
  struct List {
    OrderRequest request;  // the next question
    http::OrderList json;
    uint32_t count = 0;
    bool is_under_way = false;
  };

  const OrderRequest* next_question();
  void start_waiting();
  void give_up(const ReplyTo& place);
  void erase(uint32_t place);
  List* find(const ReplyTo& place);

  Answers& answers_;
  const stock::Catalog& catalog_;
  std::unordered_map<uint32_t, List> lists_;  // by place
  std::deque<ReplyTo> queue_;                 // their turn has come, and too many are under way
  std::deque<ReplyTo> asks_;                  // want their next order
  uint32_t under_way_ = 0;
};

}  // namespace stampede::shard
