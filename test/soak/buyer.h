// A client and its own history: what it has asked for, what it was told, what it does not know. It orders, pays and cancels
// on one connection until that breaks or it is told to rest; afterwards it asks for all that it knows and does not know.
//
// Its history is the truth that the server is held against. Nothing but answers goes into it.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "../e2e/harness/server.h"
#include "dice.h"
#include "report.h"

namespace stampede::soak {

// asked: sent, and no answer yet. refused: there is no order.
enum class State { asked, refused, reserved, paid, cancelled };
const char* to_text(State state);

struct Order {
  std::string user, key;
  int64_t quantity = 1;
  State state = State::asked;  // as last acknowledged
  std::string id;              // once acknowledged
  std::optional<State> tried;  // a change that was sent and not answered
  bool is_held() const { return state == State::reserved || state == State::paid; }
  bool exists() const { return is_held() || state == State::cancelled; }
};

// What the buyers of one sale have in common. Any thread.
class Counter {
 public:
  explicit Counter(int64_t total) : total_(total) {}

  int64_t total() const { return total_; }
  // Units that may be held: of orders acknowledged, and of those sent and not yet answered.
  void ask(int64_t units) { possible_ += units, asked_ += units; }
  void release(int64_t units) { possible_ -= units; }
  struct Mark {
    int64_t possible, asked;
  };
  Mark mark() const { return {possible_, asked_}; }
  // Whether all units may have been held at some moment since `mark`, without one's own `quantity`.
  bool may_be_sold_out(Mark mark, int64_t quantity) const {
    return mark.possible + (asked_ - mark.asked) - quantity >= total_;
  }
  // False: the id belongs to another key.
  bool give(const std::string& id, const std::string& key);

  std::atomic<size_t> answers{0};

 private:
  const int64_t total_;
  std::atomic<int64_t> possible_{0}, asked_{0};
  std::mutex mutex_;
  std::unordered_map<std::string, std::string> key_of_id_;
};

class Buyer {
 public:
  Buyer(std::string name, Counter& counter, Report& report, uint64_t seed);

  // Until the connection breaks or `over`; what is under way is answered first.
  void buy(const e2e::Address& address, const std::atomic<bool>& over);
  // Asks for what was touched since the last time, some older orders and all that is unknown, until all is known.
  void check(const e2e::Address& address);
  // Orders single units until it hears sold_out; false when it does not hear it in time.
  bool buy_the_rest(const e2e::Address& address);

  const std::deque<Order>& orders() const { return orders_; }
  int64_t held_units() const;

 private:
  enum class Act { order, repeat, pay, cancel };
  struct Step {
    Act act;
    Order* order;
  };

  Order& add_order(int64_t quantity);
  Step draw();
  std::string text_of(const Step& step) const;
  std::vector<Step> draw_window(size_t size);
  bool send_window(e2e::Http& http, const std::vector<Step>& steps);
  void take(const Step& step, const e2e::Response& answer, Counter::Mark mark);
  void take_order(Order& order, const e2e::Response& answer, Counter::Mark mark);
  void take_repeat(Order& order, const e2e::Response& answer);
  void take_change(Order& order, State wanted, const e2e::Response& answer);
  void acknowledge(Order& order, const e2e::Response& answer);
  void refuse(Order& order, const e2e::Response& answer, Counter::Mark mark);
  void change(Order& order, State state);
  void compare(Order& order, const e2e::Response& answer);
  void touch(Order& order) { touched_.push_back(&order); }
  bool ask_again(e2e::Http& http, std::vector<Order*>& open);
  bool read_all(e2e::Http& http, std::vector<Order*>& orders);
  std::string named(const Order& order) const;

  const std::string name_;
  Counter& counter_;
  Report& report_;
  Dice dice_;
  std::deque<Order> orders_;  // a deque: steps point into it
  std::vector<Order*> touched_;
};

}  // namespace stampede::soak
