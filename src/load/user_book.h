// The end of each user of one thread, which verification compares with the database. Ten
// bytes a user.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "order.h"

namespace stampede::load {

// A later value overrules an earlier one: of a user's answers, the one that is most certain counts.
enum class UserEnd : uint8_t {
  not_asked,
  gave_up,   // the last answer was retryable
  refused,   // a final refusal for another reason than stock
  sold_out,  // sold_out or not_enough
  unknown,   // an answer was lost and could not be had again: the user may or may not hold an order
  sold,      // holds order_of()
};
constexpr size_t kUserEndCount = static_cast<size_t>(UserEnd::sold) + 1;

// The end of the order, as later answers showed it.
enum class OrderEnd : uint8_t { none, paid, cancelled };

class UserBook {
 public:
  explicit UserBook(uint64_t users)
      : ends_(users, UserEnd::not_asked), order_ends_(users, OrderEnd::none), orders_(users) {}

  void note(uint64_t user, UserEnd end) { ends_[user] = std::max(ends_[user], end); }

  // True the first time. A second order for a user that has one already is a broken promise, kept
  // for the report.
  bool note_sold(uint64_t user, OrderId order) {
    if (orders_[user] == order) return false;
    if (orders_[user].value != 0) {
      ++second_orders_;
      return false;
    }
    note(user, UserEnd::sold);
    orders_[user] = order;
    return true;
  }

  void note_order_end(uint64_t user, OrderEnd end) { order_ends_[user] = end; }

  uint64_t users() const { return ends_.size(); }
  UserEnd end_of(uint64_t user) const { return ends_[user]; }
  OrderId order_of(uint64_t user) const { return orders_[user]; }
  OrderEnd order_end_of(uint64_t user) const { return order_ends_[user]; }
  // Answers that named another order than before.
  uint64_t second_orders() const { return second_orders_; }

 private:
  std::vector<UserEnd> ends_;
  std::vector<OrderEnd> order_ends_;
  std::vector<OrderId> orders_;
  uint64_t second_orders_ = 0;
};

}  // namespace stampede::load
