#include "buyer.h"

#include <algorithm>
#include <chrono>
#include <thread>

namespace stampede::soak {
namespace {

using e2e::Address;
using e2e::Http;
using e2e::Response;

constexpr size_t kWindow = 32;  // requests that are under way at once where order does not matter
constexpr std::chrono::seconds kPatience{30};
constexpr std::chrono::milliseconds kPause{5};  // before one who was told to try again does

State state_in(const e2e::Json& answer) {
  const std::string text = answer["state"].text();
  for (const State state : {State::reserved, State::paid, State::cancelled})
    if (text == to_text(state)) return state;
  return State::refused;
}

// Of a server that asks to try again and again.
class Deadline {
 public:
  void check() const {
    if (is_over()) throw Broken("a server asks to try again for ever");
  }
  bool is_over() const { return std::chrono::steady_clock::now() > end_; }

 private:
  const std::chrono::steady_clock::time_point end_ = std::chrono::steady_clock::now() + kPatience;
};

std::string said(const Response& answer) {
  return std::to_string(answer.status) + " " + answer.body.substr(0, 200) + answer.error;
}

}  // namespace

const char* to_text(State state) {
  switch (state) {
    case State::asked:
      return "asked";
    case State::refused:
      return "refused";
    case State::reserved:
      return "reserved";
    case State::paid:
      return "paid";
    case State::cancelled:
      return "cancelled";
  }
  return "";
}

bool Counter::give(const std::string& id, const std::string& key) {
  const std::lock_guard lock(mutex_);
  return key_of_id_.emplace(id, key).first->second == key;
}

Buyer::Buyer(std::string name, Counter& counter, Report& report, uint64_t seed)
    : name_(std::move(name)), counter_(counter), report_(report), dice_(seed) {}

int64_t Buyer::held_units() const {
  int64_t units = 0;
  for (const Order& order : orders_)
    if (order.is_held()) units += order.quantity;
  return units;
}

std::string Buyer::named(const Order& order) const {
  return order.id + " of " + order.user + " (" + to_text(order.state) +
         (order.tried ? std::string(", tried ") + to_text(*order.tried) : "") + ")";
}

// ---- what it does

Order& Buyer::add_order(int64_t quantity) {
  const std::string number = std::to_string(orders_.size());
  return orders_.emplace_back(
      Order{.user = name_ + "-" + number, .key = name_ + "-key-" + number, .quantity = quantity});
}

Buyer::Step Buyer::draw() {
  const int64_t face = dice_.between(1, 20);
  if (face <= 13 || orders_.empty()) return {Act::order, nullptr};
  // Mostly one of the newest: what is under way is what trouble meets.
  const size_t back = dice_.index(std::min<size_t>(orders_.size(), dice_.one_in(8) ? 4000 : 40));
  Order* const order = &orders_[orders_.size() - 1 - back];
  if (order->tried || !order->exists()) return {Act::order, nullptr};
  if (face == 14) return {Act::repeat, order};
  if (order->state != State::reserved) return {Act::order, nullptr};
  return {face <= 17 ? Act::pay : Act::cancel, order};
}

std::vector<Buyer::Step> Buyer::draw_window(size_t size) {
  std::vector<Step> steps;
  while (steps.size() < size) {
    Step step = draw();
    if (step.act == Act::order) step.order = &add_order(dice_.between(1, 3));
    if (step.act == Act::pay) step.order->tried = State::paid;
    if (step.act == Act::cancel) step.order->tried = State::cancelled;
    if (step.act == Act::order) counter_.ask(step.order->quantity);
    steps.push_back(step);
    touch(*step.order);
  }
  return steps;
}

std::string Buyer::text_of(const Step& step) const {
  const Order& order = *step.order;
  const std::string target = "/v1/orders/" + order.id;
  if (step.act == Act::cancel)
    return e2e::request_text("POST", target + "/cancel", {{"X-User-Id", order.user}});
  if (step.act == Act::pay) {
    const std::string body =
        e2e::payment_body({.id = "pay-" + order.id, .amount = 55350 * order.quantity});
    return e2e::request_text("POST", target + "/payment",
                             {{"Stampede-Signature", e2e::signature(body)}}, body);
  }
  return e2e::order_request({.user = order.user, .quantity = order.quantity, .key = order.key});
}

bool Buyer::send_window(Http& http, const std::vector<Step>& steps) {
  std::string bytes;
  for (const Step& step : steps) bytes += text_of(step);
  const Counter::Mark mark = counter_.mark();
  if (!http.send(bytes)) return false;
  for (const Step& step : steps) {
    const Response answer = http.receive();
    if (answer.status == 0) return false;
    ++counter_.answers;
    take(step, answer, mark);
  }
  return true;
}

void Buyer::buy(const Address& address, const std::atomic<bool>& over) {
  Http http(address, kPatience);
  if (!http.connect()) return;
  while (!over)
    if (!send_window(http, draw_window(static_cast<size_t>(dice_.between(1, 12))))) return;
}

// ---- what it is told

void Buyer::take(const Step& step, const Response& answer, Counter::Mark mark) {
  switch (step.act) {
    case Act::order:
      return take_order(*step.order, answer, mark);
    case Act::repeat:
      return take_repeat(*step.order, answer);
    case Act::pay:
      return take_change(*step.order, State::paid, answer);
    case Act::cancel:
      return take_change(*step.order, State::cancelled, answer);
  }
}

void Buyer::take_order(Order& order, const Response& answer, Counter::Mark mark) {
  if (answer.status == 201) return acknowledge(order, answer);
  if (answer.status == 200) {
    report_.add(Wrong::doubled, "a new key has an order already: " + said(answer));
    return acknowledge(order, answer);
  }
  refuse(order, answer, mark);
}

void Buyer::acknowledge(Order& order, const Response& answer) {
  const e2e::Json body = answer.json();
  order.id = body["order_id"].text();
  order.state = state_in(body);
  report_.add_acknowledged();
  if (!counter_.give(order.id, order.key))
    report_.add(Wrong::doubled, "the id of another order: " + named(order));
  if (body["qty"].number() != order.quantity || body["user"].text() != order.user)
    report_.add(Wrong::other, "not what was asked for: " + said(answer));
}

void Buyer::refuse(Order& order, const Response& answer, Counter::Mark mark) {
  const std::string code = answer.code();
  if (code == "sold_out" && !counter_.may_be_sold_out(mark, order.quantity))
    report_.add(Wrong::other, "sold_out was said while units were free");
  const bool is_explained = answer.status == 503 || code == "sold_out" || code == "not_enough";
  if (!is_explained) report_.add(Wrong::other, order.user + " heard " + said(answer));
  order.state = State::refused;
  counter_.release(order.quantity);
}

void Buyer::take_repeat(Order& order, const Response& answer) {
  if (answer.status == 503) return;
  if (answer.status == 201)
    report_.add(Wrong::doubled, "a repeated key made another order: " + named(order));
  else if (answer.status != 200)
    report_.add(Wrong::lost, "a repeated key was answered " + said(answer) + ": " + named(order));
  else if (answer.json()["order_id"].text() != order.id)
    report_.add(Wrong::doubled, "a repeated key has another id: " + named(order));
}

void Buyer::change(Order& order, State state) {
  if (state == State::cancelled && order.is_held()) counter_.release(order.quantity);
  order.state = state;
  order.tried.reset();
}

void Buyer::take_change(Order& order, State wanted, const Response& answer) {
  if (answer.status == 503) return;  // nothing is known: it stays tried
  if (answer.status == 200 && state_in(answer.json()) == wanted) return change(order, wanted);
  report_.add(answer.status == 404 ? Wrong::lost : Wrong::other,
              "answered " + said(answer) + ": " + named(order));
}

// ---- what it finds

void Buyer::compare(Order& order, const Response& answer) {
  if (answer.status != 200)
    return report_.add(Wrong::lost, "answered " + said(answer) + ": " + named(order));
  const e2e::Json body = answer.json();
  const State now = state_in(body);
  if (body["order_id"].text() != order.id || body["qty"].number() != order.quantity)
    report_.add(Wrong::lost, "is another order now, " + said(answer) + ": " + named(order));
  if (order.tried && now == *order.tried) return change(order, now);
  if (now != order.state)
    report_.add(Wrong::lost, std::string("is ") + to_text(now) + ": " + named(order));
  order.tried.reset();
}

// Those that are answered leave `orders`; false when the connection broke.
bool Buyer::read_all(Http& http, std::vector<Order*>& orders) {
  const Deadline deadline;
  while (!orders.empty()) {
    deadline.check();
    const size_t count = std::min(kWindow, orders.size());
    std::string bytes;
    for (size_t i = 0; i < count; ++i)
      bytes +=
          e2e::request_text("GET", "/v1/orders/" + orders[i]->id, {{"X-User-Id", orders[i]->user}});
    if (!http.send(bytes)) return false;
    std::vector<Order*> again;
    for (size_t i = 0; i < count; ++i) {
      const Response answer = http.receive();
      if (answer.status == 0) return false;
      if (answer.status == 503)
        again.push_back(orders[i]);
      else
        compare(*orders[i], answer);
    }
    orders.erase(orders.begin(), orders.begin() + static_cast<std::ptrdiff_t>(count));
    orders.insert(orders.end(), again.begin(), again.end());
    if (!again.empty()) std::this_thread::sleep_for(kPause);
  }
  return true;
}

// The same for orders that nobody has answered: the same key again. One that was made is there, any other is made now.
bool Buyer::ask_again(Http& http, std::vector<Order*>& open) {
  const Deadline deadline;
  while (!open.empty()) {
    deadline.check();
    Order& order = *open.back();
    const Counter::Mark mark = counter_.mark();
    if (!http.send(text_of({Act::order, &order}))) return false;
    const Response answer = http.receive();
    if (answer.status == 0) return false;
    if (answer.status == 503) {
      std::this_thread::sleep_for(kPause);
      continue;
    }
    open.pop_back();
    if (answer.status == 201 || answer.status == 200)
      acknowledge(order, answer);
    else
      refuse(order, answer, mark);
  }
  return true;
}

void Buyer::check(const Address& address) {
  constexpr size_t kOlder = 8;
  for (size_t i = 0; i < kOlder && !orders_.empty(); ++i)
    touch(orders_[dice_.index(orders_.size())]);
  std::vector<Order*> open, known;
  std::sort(touched_.begin(), touched_.end());
  touched_.erase(std::unique(touched_.begin(), touched_.end()), touched_.end());
  for (Order* const order : touched_) {
    if (order->state == State::asked) open.push_back(order);
    if (order->exists()) known.push_back(order);
  }
  touched_.clear();
  Http http(address, kPatience);
  if (!http.connect() || !read_all(http, known) || !ask_again(http, open)) {
    report_.add(Wrong::other, "the server broke a connection while nothing disturbed it");
    throw Broken("no answers");
  }
}

bool Buyer::buy_the_rest(const Address& address) {
  Http http(address, kPatience);
  if (!http.connect()) return false;
  for (const Deadline deadline; !deadline.is_over();) {
    std::vector<Step> steps;
    for (size_t i = 0; i < kWindow; ++i) {
      counter_.ask(1);
      steps.push_back({Act::order, &add_order(1)});
    }
    if (!send_window(http, steps)) return false;
    const bool is_over = std::all_of(steps.begin(), steps.end(), [](const Step& step) {
      return step.order->state == State::refused;
    });
    if (is_over && counter_.mark().possible >= counter_.total()) return true;
    if (is_over) std::this_thread::sleep_for(kPause);
  }
  return false;
}

}  // namespace stampede::soak
