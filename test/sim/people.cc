#include "people.h"

#include <algorithm>
#include <iterator>

#include "base/check.h"
#include "pollers.h"
#include "world_terms.h"

namespace stampede::sim {
namespace {

constexpr int64_t kPatienceNs = 40 * kSecond;  // more than any answer may take
constexpr size_t kPipelined = 3;

uint32_t number_of_item(const std::string& code) {
  return static_cast<uint32_t>(std::stoul(code.substr(code.find('-') + 1)));
}

// The orders that an answer shows, each a flat object.
std::vector<Shown> orders_in(const world::Answer& answer) {
  std::vector<Shown> orders;
  constexpr std::string_view kBegin = "{\"order_id\":";
  for (size_t at = answer.body.find(kBegin); at != answer.body.npos;) {
    const size_t end = answer.body.find('}', at);
    const world::Answer one{.status = answer.status, .body = answer.body.substr(at, end - at + 1)};
    orders.push_back({.id = one.member("order_id"),
                      .user = one.member("user"),
                      .item = one.member("item"),
                      .state = one.member("state"),
                      .quantity = static_cast<uint32_t>(std::stoul(one.member("qty"))),
                      .refund_due = std::stol(one.member("refund_due"))});
    at = answer.body.find(kBegin, end);
  }
  return orders;
}

}  // namespace

People::People(const Plan& plan, Hosts& hosts, History& history, Truth& truth,
               world::FakeClock& clock, Random random, std::function<void(const std::string&)> note)
    : plan_(plan),
      hosts_(hosts),
      history_(history),
      truth_(truth),
      purchases_(plan, history),
      allowances_(plan.limits, history),
      clock_(clock),
      random_(random),
      note_(std::move(note)),
      pause_ns_(static_cast<int64_t>(random_.between(50, 4'000)) * kMillisecond),
      is_sold_out_(plan.items) {
  for (uint32_t i = 0; i < plan.users; ++i)
    persons_.push_back({.name = "user-" + std::to_string(i),
                        .address = address_of(i),
                        .node = i % plan.nodes,
                        .acts_ns = now_ns() + static_cast<int64_t>(random_.below(
                                                  static_cast<uint64_t>(pause_ns_)))});
}

// ---- answers ----

void People::step() {
  for (Person& person : persons_) {
    if (host_of(person).is_leaving()) move_away(person);
    take_answers(person);
    if (!person.asked.empty() && now_ns() - person.asked.front().sent_ns > patience_ns(person)) {
      note_(person.name + " gives up waiting");
      if (!plan_.has(Mishap::impatient) && is_closing_)
        history_.broken(person.name + " had no answer within " +
                        std::to_string(kPatienceNs / kSecond) + " s from a healthy server");
      hang_up(person, true);
    }
    if (now_ns() >= person.acts_ns) act(person);
  }
}

int64_t People::patience_ns(const Person&) const {
  if (is_closing_ || !plan_.has(Mishap::impatient)) return kPatienceNs;
  return plan_.every_ns[static_cast<size_t>(Mishap::impatient)] / 5;
}

void People::take_answers(Person& person) {
  if (!person.line || now_ns() < person.reads_ns) return;
  for (const world::Answer& answer : person.line->take_answers()) {
    CHECK(!person.asked.empty());
    const Ask ask = person.asked.front();
    person.asked.pop_front();
    ++answers_;
    take_answer(person, ask, answer);
  }
  // A server need not wait for ever for one who does not read.
  if (person.line->was_cut_off() && person.reads_ns == 0)
    history_.broken("an answer to " + person.name + " was cut off in the middle");
  if (person.line->has_ended()) hang_up(person, false);
}

// The connection is over; what was asked on it may have been done.
void People::hang_up(Person& person, bool is_reset) {
  if (is_reset && person.line && person.life == host_of(person).life()) person.line->end().reset();
  for (Ask& ask : person.asked)
    if (!ask.is_wrong && (ask.kind == Kind::order || ask.kind == Kind::pay))
      be_unsure(person, std::move(ask));
  person.asked.clear();
  person.line.reset();
}

// Who repeats what a thief has signed signs it himself.
void People::be_unsure(Person& person, Ask ask) {
  ask.is_leaked = false;
  person.unsure.push_back(std::move(ask));
}

uint32_t People::draw_node() {
  auto node = static_cast<uint32_t>(random_.below(plan_.nodes));
  while (hosts_[node]->is_leaving()) node = (node + 1) % plan_.nodes;
  return node;
}

// His node does not come back, and his orders are there. The next one, who knows nothing of them, buys at another.
void People::move_away(Person& person) {
  hang_up(person, false);
  person.unsure.clear();
  person.to_do.clear();
  person.name += "-next";
  person.node = draw_node();
  person.acts_ns = std::max(person.acts_ns, now_ns() + 1);
}

void People::take_answer(Person& person, const Ask& ask, const world::Answer& answer) {
  const std::string code = answer.member("code");
  note_(person.name + " hears " + std::to_string(answer.status) + " " +
        (code.empty() ? answer.member("order_id") + " " + answer.member("state") : code) +
        (code == "not_enough" ? " available " + answer.member("available") : ""));
  // The provider's signature is of another time than the server's, once the wall clock was set.
  const bool is_stale = answer.status == 401 && ask.kind == Kind::pay &&
                        (plan_.has(Mishap::wall_clock) || ask.is_leaked);
  check_patience(person, ask);
  check_door(person, ask, answer);
  if (ask.is_wrong) return take_refusal(ask, answer);
  if (answer.status == 429) return take_limit(person, ask, answer);
  if (answer.status == 503 || is_stale) {
    if (ask.kind == Kind::order || ask.kind == Kind::pay) be_unsure(person, ask);
    return;
  }
  if (answer.status == 400 || answer.status == 401 || answer.status == 500)
    history_.broken("a sound request was answered " + std::to_string(answer.status) + " " + code);
  if (answer.status == 404 && !ask.order.empty()) history_.deny(ask.order);
  if (answer.status == 200 || answer.status == 201) take_orders(person, ask, answer);
  if (ask.kind == Kind::link) take_link(person, ask, answer);
  if (ask.kind == Kind::order) take_order_answer(person, ask, answer);
}

// Of what must be refused: another user's order is not there, a known key is not for another order.
void People::take_refusal(const Ask& ask, const world::Answer& answer) {
  if (answer.status == 503 || answer.status == 429) return;
  if (ask.is_off) return take_off_payment(ask, answer);
  const bool may_have_blocked_address =
      is_blocked(plan_, ask.address) ||
      (is_in_operators_network(ask.address) && truth_.was_network_ever_blocked());
  if (history_.has_lost(ask.user, item_code(ask.item)) || may_have_blocked_address) return;
  if (ask.is_forged) {
    if (answer.status != 401)
      history_.broken("a forged ticket was answered " + std::to_string(answer.status) + " " +
                      answer.body);
    return;
  }
  if (!ask.link.empty()) {
    if (answer.status < 400)
      history_.broken(ask.user + " bought with a link that is not his: " + answer.body);
    return;
  }
  if (ask.kind == Kind::order) {
    if (answer.member("code") != "key_reused")
      history_.broken("the key " + ask.key + " of " + ask.user +
                      " with another body was answered " + std::to_string(answer.status) + " " +
                      answer.body);
  } else if (answer.member("code") != "unknown_order") {
    history_.broken(ask.user + " asked for another user's " + ask.order + " and was answered " +
                    std::to_string(answer.status) + " " + answer.body);
  }
}

// Money that does not fit is written down, and pays nothing.
void People::take_off_payment(const Ask& ask, const world::Answer& answer) {
  const bool is_stale = answer.status == 401 && plan_.has(Mishap::wall_clock);
  if (is_stale || answer.member("code") == "not_payable" || !history_.find_order(ask.order)) return;
  history_.broken(ask.user + " paid another amount for " + ask.order + " and was answered " +
                  std::to_string(answer.status) + " " + answer.body);
}

void People::take_orders(const Person& person, const Ask& ask, const world::Answer& answer) {
  for (const Shown& shown : orders_in(answer)) {
    if (shown.user != ask.user) history_.broken(ask.user + " was shown an order of " + shown.user);
    history_.show(shown, answer.status == 201, ask.kind == Kind::order ? ask.key : "", ask.sent_ns,
                  now_ns());
    if (shown.id == ask.order && !history_.is_lost(world::order_number(shown.id)))
      check_shown(person, ask, shown);
  }
}

// Between what the node had when he asked and what it has now; of another process of it nothing is known.
void People::check_shown(const Person& person, const Ask& ask, const Shown& shown) {
  Host& host = host_of(person);
  if (!host.is_up() || host.life() != ask.life) return;
  const std::string why_not = why_not_between(
      ask.before,
      {.state = shown.state, .quantity = shown.quantity, .refund_due = shown.refund_due},
      host.state_of(world::order_number(shown.id)));
  if (!why_not.empty())
    history_.broken(ask.user + " is shown " + shown.id + " as " + shown.state + ", and it " +
                    why_not);
  if (ask.kind == Kind::pay) check_refund(ask, shown);
}

// Late money goes back only when the units are gone. What it goes by is no older than what a sold_out does.
void People::check_refund(const Ask& ask, const Shown& shown) {
  const bool was_decided = ask.before && ask.before->state == "expired" &&
                           shown.state == "expired" && shown.refund_due > ask.before->refund_due;
  if (!was_decided) return;
  if (truth_.was_short_since(ask.item, ask.quantity, ask.sent_ns - truth_.news_age_max_ns()))
    return;
  note_(truth_.describe(ask.item));
  history_.broken("the late payment " + ask.payment + " of " + shown.id + " goes back, and " +
                  std::to_string(truth_.unsold(ask.item)) + " units were unsold all the time");
}

void People::take_order_answer(Person& person, const Ask& ask, const world::Answer& answer) {
  const std::string code = answer.member("code");
  const std::string item = item_code(ask.item);
  const Purchases::Wish wish{.user = ask.user,
                             .item = item,
                             .key = ask.key,
                             .quantity = ask.quantity,
                             .sent_ns = ask.sent_ns};
  if (answer.status == 200 || answer.status == 201) {
    take_made_order(ask, answer);
    if (answer.status == 201 && truth_.is_paused_since(person.node, ask.item, ask.sent_ns))
      history_.broken(ask.user + " was given an order of " + item + ", whose sale is paused");
    return purchases_.take_order(wish, answer.status == 201, now_ns());
  }
  if (code == "limit_reached") return purchases_.take_limit_reached(wish);
  purchases_.take_refusal(wish);
  if (code == "key_reused") history_.broken("the key " + ask.key + " of " + ask.user + " is taken");
  const bool is_sold_out = code == "sold_out";
  if (!is_sold_out && code != "not_enough") return;
  const uint32_t least = is_sold_out ? 1 : ask.quantity;
  if (!truth_.was_short_since(ask.item, least, ask.sent_ns - truth_.news_age_max_ns())) {
    note_(truth_.describe(ask.item));
    history_.broken(ask.user + " heard " + code + " of " + item_code(ask.item) + " for " +
                    std::to_string(ask.quantity) + ", and " +
                    std::to_string(truth_.unsold(ask.item)) + " were unsold all the time");
  }
  if (person.is_closer && is_sold_out && truth_.unsold(ask.item) == 0)
    is_sold_out_[ask.item] = true;
}

// It is what was asked for, whether it was made now or long ago.
void People::take_made_order(const Ask& ask, const world::Answer& answer) {
  const std::vector<Shown> orders = orders_in(answer);
  if (orders.size() != 1 || orders[0].item != item_code(ask.item) ||
      orders[0].quantity != ask.quantity)
    history_.broken(ask.user + " asked for " + std::to_string(ask.quantity) + " of " +
                    item_code(ask.item) + " and was given " + answer.body);
}

// ---- wishes ----

void People::act(Person& person) {
  person.acts_ns =
      now_ns() + 1 + static_cast<int64_t>(random_.below(static_cast<uint64_t>(2 * pause_ns_)));
  if (!host_of(person).is_up() || person.asked.size() >= kPipelined) return;
  if (person.line && person.life != host_of(person).life()) hang_up(person, false);
  std::optional<Ask> ask = is_closing_ ? choose_closing(person) : choose(person);
  if (ask) send(person, std::move(*ask));
  if (is_closing_ || !person.line) return;
  if (plan_.has(Mishap::resets) && random_.chance(0.05)) {
    note_(person.name + " resets");
    hang_up(person, true);
  } else if (plan_.has(Mishap::slow_readers) && random_.chance(0.1)) {
    person.line->end().set_window(random_.between(1, 400));
    person.reads_ns = now_ns() + static_cast<int64_t>(random_.between(1, 20)) * kSecond;
  }
}

People::Ask People::new_order(Person& person) {
  Ask ask{.kind = Kind::order,
          .item = static_cast<uint32_t>(random_.below(plan_.items)),
          .quantity = static_cast<uint32_t>(random_.between(1, plan_.quantity_max))};
  if (plan_.per_user_limit != 0) ask.quantity = std::min(ask.quantity, plan_.per_user_limit);
  if (!random_.chance(0.1) || person.is_closer)
    ask.key = "key-" + std::to_string(++person.keys);  // others have the same
  return ask;
}

const Told* People::pick_own(const Person& person, bool is_reserved) {
  std::vector<const Told*> own;
  for (const auto& [id, told] : history_.orders())
    if (told.user == person.name && (!is_reserved || told.state == "reserved"))
      own.push_back(&told);
  return own.empty() ? nullptr : random_.pick(std::span<const Told*>(own));
}

// What nobody may: the orders of others, and a known key for another order.
std::optional<People::Ask> People::pick_wrong(Person& person) {
  if (std::optional<Ask> forged = pick_forged(person)) return forged;
  const bool is_key = random_.chance(0.4);
  const Told* const order = is_key ? pick_own(person, false) : pick_of_other(person);
  if (order == nullptr || (is_key && order->key.empty())) return std::nullopt;
  Ask ask{.kind = is_key                ? Kind::order
                  : random_.chance(0.5) ? Kind::read
                                        : Kind::cancel,
          .item = number_of_item(order->item),
          .quantity = order->quantity,
          .is_wrong = true};
  if (!is_key)
    ask.order = order->id;
  else
    ask.key = order->key;
  if (!is_key) return ask;
  if (plan_.items > 1 && random_.chance(0.5))
    ask.item = (ask.item + 1) % plan_.items;
  else
    ask.quantity = ask.quantity % plan_.quantity_max + 1;
  if (ask.quantity == order->quantity && ask.item == number_of_item(order->item)) ++ask.quantity;
  return ask;
}

// Of one who is served by the same node.
const Told* People::pick_of_other(const Person& person) {
  std::vector<const Told*> others;
  for (const auto& [id, told] : history_.orders())
    if (told.user != person.name && OrderId{world::order_number(id)}.node() == person.node)
      others.push_back(&told);
  return others.empty() ? nullptr : random_.pick(std::span<const Told*>(others));
}

// Mostly of a reservation; sometimes too late, or twice.
std::optional<People::Ask> People::pick_payment(Person& person) {
  const Told* const order = pick_own(person, !random_.chance(0.15));
  if (order == nullptr) return std::nullopt;
  const bool is_again = person.payments > 0 && random_.chance(0.1);
  if (!is_again) ++person.payments;
  Ask ask{.kind = Kind::pay,
          .item = number_of_item(order->item),
          .quantity = order->quantity,
          .order = order->id,
          .payment = person.name + ".p" + std::to_string(person.payments)};
  ask.is_off = ask.is_wrong = !is_again && random_.chance(0.05);
  ask.is_leaked = !ask.is_off && plan_.has(Mishap::reloads) && random_.chance(0.3);
  if (ask.is_off) ask.payment += ".off";
  return ask;
}

std::optional<People::Ask> People::choose(Person& person) {
  if (!person.unsure.empty() && random_.chance(0.6)) {
    Ask again = person.unsure.front();
    person.unsure.pop_front();
    // Without a key nobody can ask for the same order again.
    if (again.kind == Kind::pay || !again.key.empty()) return again;
  }
  if (random_.chance(0.05)) return pick_wrong(person);
  if (plan_.has(Mishap::links) && random_.chance(0.08)) return Ask{.kind = Kind::link};
  const uint64_t wish = random_.below(100);
  if (wish < 45) return new_order(person);
  if (wish < 65) return pick_payment(person);
  if (wish < 67) return Ask{.kind = Kind::look};
  if (wish < 72)
    return Ask{.kind = Kind::stock, .item = static_cast<uint32_t>(random_.below(plan_.items))};
  if (wish < 80)
    return Ask{.kind = Kind::list, .item = static_cast<uint32_t>(random_.below(plan_.items))};
  const Told* const order = pick_own(person, wish < 87);
  if (order == nullptr) return std::nullopt;
  const Kind kind = wish < 87   ? Kind::cancel
                    : wish < 94 ? Kind::read
                    : wish < 97 ? Kind::wait
                                : Kind::order;
  if (kind == Kind::order && order->key.empty()) return std::nullopt;
  return Ask{.kind = kind,
             .item = number_of_item(order->item),
             .quantity = order->quantity,
             .key = kind == Kind::order ? order->key : "",
             .order = kind == Kind::order ? "" : order->id};
}

std::optional<People::Ask> People::choose_closing(Person& person) {
  if (!person.to_do.empty()) {
    Ask ask = std::move(person.to_do.front());
    person.to_do.pop_front();
    return ask;
  }
  while (!person.unsure.empty()) {
    Ask again = person.unsure.front();
    person.unsure.pop_front();
    if (again.kind == Kind::pay || !again.key.empty()) return again;
  }
  if (is_reading_ || !person.is_closer || !person.asked.empty()) return std::nullopt;
  if (const Told* const order = pick_own(person, true))
    return Ask{.kind = Kind::pay,
               .item = number_of_item(order->item),
               .quantity = order->quantity,
               .order = order->id,
               .payment = person.name + "." + order->id};
  const auto item = static_cast<uint32_t>(&person - &persons_[plan_.users]);
  if (is_sold_out_[item] && truth_.unsold(item) == 0 && truth_.paid(item) == truth_.supplied(item))
    return std::nullopt;
  // A new name for each, so that no purchase limit ends it.
  hang_up(person, false);
  person.node = draw_node();
  person.address = {.ip = {10, 1, static_cast<uint8_t>(person.keys / 256),
                           static_cast<uint8_t>(person.keys % 256)}};
  person.name = "closer-" + std::to_string(item) + "-" + std::to_string(++person.keys);
  Ask ask = new_order(person);
  ask.item = item;
  ask.quantity = 1;
  return ask;
}

// ---- sending ----

void People::send(Person& person, Ask ask) {
  // Nobody pays for what a loss has taken.
  Told* const order = history_.find_order(ask.order);
  if (!ask.order.empty() && order == nullptr) return;
  if (!person.line) {
    person.life = host_of(person).life();
    const auto shard = static_cast<uint32_t>(random_.below(host_of(person).shards()));
    world::FakeClient& end = host_of(person).machine().connect(shard);
    end.set_address(person.address);
    person.line = std::make_unique<world::Buyer>(end);
    person.reads_ns = 0;
  }
  ask.sent_ns = now_ns();
  if (ask.user.empty()) ask.user = person.name;
  ask.life = person.life;
  if (!ask.order.empty() && host_of(person).is_up())
    ask.before = host_of(person).state_of(world::order_number(ask.order));
  ask.address = person.address;
  ask.link = link_of(person, ask);
  ask.is_winner = ask.kind == Kind::order && !ask.is_wrong && !ask.key.empty() &&
                  history_.knows_key(ask.user, ask.key);
  ask.is_behind_wait = std::ranges::any_of(
      person.asked, [](const Ask& before) { return before.kind == Kind::wait; });
  note_counted(person, ask);
  if (!ask.is_wrong && ask.kind == Kind::order)
    purchases_.note_sent({.user = ask.user,
                          .item = item_code(ask.item),
                          .key = ask.key,
                          .quantity = ask.quantity,
                          .sent_ns = ask.sent_ns});
  if (!ask.is_wrong && ask.kind == Kind::cancel) order->may_be_cancelled = true;
  if (ask.kind == Kind::pay) order->may_be_paid = true;
  write(person, ask);
  person.asked.push_back(std::move(ask));
}

void People::write(Person& person, const Ask& ask) {
  world::Buyer& line = *person.line;
  if (plan_.has(Mishap::tickets))
    line.set_ticket(ticket_of(ask.user, moment().wall_ns / kSecond, ask.is_forged));
  if (plan_.has(Mishap::pieces) && !is_closing_ && random_.chance(0.2))
    line.set_piece_bytes(random_.between(1, 40));
  switch (ask.kind) {
    case Kind::order:
      note_(ask.user + " orders " + std::to_string(ask.quantity) + " of " + item_code(ask.item) +
            " " + ask.key);
      return line.order_of(ask.user, item_code(ask.item), ask.quantity, ask.key, ask.link);
    case Kind::read:
    case Kind::wait:
      note_(ask.user + " reads " + ask.order + (ask.kind == Kind::wait ? " and waits" : ""));
      return line.read(
          ask.user, ask.order,
          ask.kind == Kind::wait ? static_cast<uint32_t>(random_.between(1, 30'000)) : 0);
    case Kind::cancel:
      note_(ask.user + " cancels " + ask.order);
      return line.cancel(ask.user, ask.order);
    case Kind::pay:
      note_(ask.user + " pays " + ask.order + " by " + ask.payment);
      return line.pay(ask.order, ask.payment, ask.quantity * kPrice + (ask.is_off ? 1 : 0),
                      ask.is_leaked ? leaked_key() : payment_key(), moment().wall_ns / kSecond);
    case Kind::list:
      note_(ask.user + " lists " + item_code(ask.item));
      return line.list(ask.user, item_code(ask.item));
    case Kind::link:
      note_(ask.user + " asks for the link of " + item_code(ask.item));
      return line.ask_link(ask.user, item_code(ask.item));
    case Kind::look: {
      constexpr const char* kPages[] = {"/v1/items", "/v1/items/item-0", "/v1/time",
                                        "/v1/items?after=item-0"};
      return line.request("GET", kPages[random_.below(std::size(kPages))]);
    }
    case Kind::stock:
      return line.request("GET", "/v1/items/" + item_code(ask.item) + "/stock");
  }
}

int64_t People::next_ns() const {
  int64_t next_ns = INT64_MAX;
  for (const Person& person : persons_) {
    next_ns = std::min(next_ns, person.acts_ns);
    if (!person.asked.empty())
      next_ns = std::min(next_ns, person.asked.front().sent_ns + patience_ns(person) + 1);
    if (person.reads_ns > now_ns()) next_ns = std::min(next_ns, person.reads_ns);
  }
  return next_ns;
}

// ---- the end of the sale ----

void People::fall_silent() {
  for (Person& person : persons_) person.acts_ns = INT64_MAX;
}

void People::close_sale() {
  is_closing_ = true;
  pause_ns_ = 50 * kMillisecond;
  for (Person& person : persons_) {
    person.acts_ns = now_ns();
    person.reads_ns = 0;
    // Slow readers and half-sent requests end here.
    if (person.line) hang_up(person, true);
  }
  for (uint32_t i = 0; i < plan_.items; ++i)
    persons_.push_back({.name = "closer-" + std::to_string(i),
                        .node = draw_node(),
                        .acts_ns = now_ns(),
                        .is_closer = true});
}

bool People::has_closed() const {
  for (const Person& person : persons_)
    if (!person.asked.empty() || !person.unsure.empty() || !person.to_do.empty()) return false;
  for (uint32_t i = 0; i < plan_.items; ++i)
    if (!is_sold_out_[i] || truth_.paid(i) != truth_.supplied(i)) return false;
  return true;
}

std::string People::open_wishes() const {
  std::string text;
  for (const Person& person : persons_)
    if (!person.asked.empty() || !person.unsure.empty())
      text += person.name + " waits for " + std::to_string(person.asked.size()) +
              " and is unsure of " + std::to_string(person.unsure.size()) + "; ";
  for (uint32_t i = 0; i < plan_.items; ++i)
    text += item_code(i) + ": " + std::to_string(truth_.supplied(i)) + " supplied, " +
            std::to_string(truth_.paid(i)) + " paid, " + std::to_string(truth_.unsold(i)) +
            " unsold; ";
  return text;
}

void People::read_all() {
  is_reading_ = true;
  for (const auto& [id, told] : history_.orders()) {
    // Whoever speaks to the order's node; the first numbers of an id are the node's.
    const uint32_t node = OrderId{world::order_number(id)}.node();
    for (Person& person : persons_) {
      if (person.node != node || is_blocked(plan_, person.address)) continue;
      person.to_do.push_back({.kind = Kind::read, .user = told.user, .order = id});
      break;
    }
  }
}

bool People::has_read_all() const {
  return std::ranges::all_of(
      persons_, [](const Person& person) { return person.to_do.empty() && person.asked.empty(); });
}

}  // namespace stampede::sim
