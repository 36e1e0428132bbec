#include "shard/public_api.h"

#include <algorithm>
#include <utility>

#include "base/probe.h"
#include "door/signature.h"
#include "door/ticket.h"
#include "http/fields.h"
#include "http/idempotency_key.h"
#include "shard/text_answers.h"
#include "stock/catalog_json.h"

namespace stampede::shard {
namespace {

using http::Refusal;
using http::RouteKind;

constexpr int64_t kOpenEndedAgeS = 3600;

bool is_payment(const http::Route& route) {
  return !route.is_refused && route.kind == RouteKind::pay_order;
}

// Everything but what a buyer does with an order that he has, and payments.
bool counts_by_address(const http::Route& route) {
  if (route.is_refused) return true;
  switch (route.kind) {
    case RouteKind::list_orders:
    case RouteKind::read_order:
    case RouteKind::cancel_order:
    case RouteKind::pay_order:
      return false;
    default:
      return true;
  }
}

// Of these an item counts what is refused.
bool wants_units(RequestKind kind) {
  return kind == RequestKind::create || kind == RequestKind::link;
}

bool is_refusal(Verdict verdict) {
  return verdict != Verdict::ok && verdict != Verdict::created && verdict != Verdict::replayed;
}

Refusal over_rate(uint32_t retry_after_ms) {
  return {
      .verdict = Verdict::rate_limited, .retry_after_ms = retry_after_ms, .limit = Limit::address};
}

}  // namespace

PublicApi::PublicApi(const PublicApiSettings& settings, Answers& answers,
                     const stock::Catalog& catalog, Orders& orders, Moment now)
    : settings_(settings),
      answers_(answers),
      catalog_(catalog),
      orders_(orders),
      now_(now),
      lists_(answers, catalog),
      polls_(answers, settings.places_max, now),
      stock_(answers, catalog, orders),
      pages_(answers, catalog) {}

// ---- requests ----

void PublicApi::handle(const http::Request& request, ReplyTo place) {
  asked_ = kNoItem;
  const Objection objection = serve(request, place);
  if (!objection) return;
  count_refusal(asked_, objection->verdict, objection->limit);
  PROBE(door_refused, place.shard, place.place, place.serial, objection->verdict);
  if (objection->verdict == Verdict::length_required)
    return answers_.complete(place,
                             TextAnswer{.refusal = objection->verdict, .ends_connection = true});
  answers_.refuse(place, *objection);
}

// A browser asks this before it sends what a page of another origin wants to send; it shows nobody's name, so nothing is
// counted and nobody is refused.
bool PublicApi::answer_preflight(const http::Request& request, const ReplyTo& place) {
  if (request.method != http::Method::options || !answers_.is_listed_origin(place)) return false;
  const std::string_view methods = http::methods_of(request.path);
  if (methods.empty()) return false;
  answers_.complete(place, TextAnswer{.status = http::StatusCode::no_content,
                                      .headers = http::preflight_lines(methods)});
  return true;
}

PublicApi::Objection PublicApi::serve(const http::Request& request, const ReplyTo& place) {
  if (answer_preflight(request, place)) return std::nullopt;
  const http::Route route = http::route(request);
  uint32_t over_ms = 0;
  if (!route.is_refused && route.kind == RouteKind::make_link)
    asked_ = catalog_.find(route.item_code);
  if (counts_by_address(route)) {
    answers_.rank(place, net::Rank::usual);
    if (answers_.is_guest(place)) return Refusal{.verdict = Verdict::overloaded};
  }
  if (Objection no = check_address(request, route, place, over_ms)) return no;
  if (route.is_refused) return route.refusal;
  switch (route.kind) {
    case RouteKind::create_order:
      return create(request, place, over_ms);
    case RouteKind::list_orders:
      return list(request, route, place);
    case RouteKind::read_order:
      return read(request, route, place);
    case RouteKind::cancel_order:
      return cancel(request, route, place);
    case RouteKind::pay_order:
      return pay(request, route, place);
    case RouteKind::list_items:
      return answer_items(request, route, place);
    case RouteKind::describe_server:
      answers_.complete(place,
                        TextAnswer{.headers = std::string(http::kServerAllows), .body = "{}"});
      return std::nullopt;
    case RouteKind::read_time:
      answer_time(place);
      return std::nullopt;
    case RouteKind::read_item:
    case RouteKind::read_stock:
      return answer_item(request, route, place);
    case RouteKind::make_link:
      return make_link(request, route, place);
  }
  CHECK(false);
}

// What an address must pass, in this order. Payments pass by: money is taken, whoever brings it.
PublicApi::Objection PublicApi::check_address(const http::Request& request,
                                              const http::Route& route, const ReplyTo& place,
                                              uint32_t& over_ms) {
  const door::Rate& rate = rules_->limits.address;
  const bool is_looked_at = rate.is_limited() || rules_->blocked.has_networks();
  if (is_payment(route) || addresses_ == nullptr || !is_looked_at) return std::nullopt;
  door::Address address;
  if (Objection no = take_address(request, place, address)) return no;
  if (rules_->blocked.has_address(address)) return Refusal{.verdict = Verdict::blocked};
  if (!rate.is_limited()) return std::nullopt;
  if (!counts_by_address(route)) return std::nullopt;
  over_ms = addresses_->count_request(door::group_of(address), rate, now_.boot_ns);
  // A new order may be one that is held already: create() passes it on. What has no route is refused anyway.
  const bool is_said_here = !route.is_refused && route.kind != RouteKind::create_order;
  if (over_ms == 0 || !is_said_here) return std::nullopt;
  return over_rate(over_ms);
}

// The buyer's: what the gateway says, or else the peer's. Of two lines one may be the buyer's own words.
PublicApi::Objection PublicApi::take_address(const http::Request& request, const ReplyTo& place,
                                             door::Address& address) {
  address = answers_.address_of(place);
  if (rules_->address_header.empty()) return std::nullopt;
  const http::OnlyLine line = http::only_line(request, rules_->address_header);
  if (line.is_repeated)
    return Refusal{.verdict = Verdict::bad_request,
                   .reason = "the header with the buyer's address came twice"};
  if (const std::optional<door::Address> named = door::parse_address(line.value))
    address = *named;
  else
    answers_.note_unnamed_address();
  return std::nullopt;
}

// The door: what a new order must pass before the desk takes anything for it. An address over its rate has one objection; what
// else stands against the order is not looked at.
PublicApi::Objection PublicApi::open_door(const http::Request& request, OrderRequest& order,
                                          uint32_t over_ms) {
  const http::CreateBody body = http::parse_create(request.body);
  if (body.error != nullptr) return Refusal{.verdict = Verdict::bad_request, .reason = body.error};
  if (Objection no = take_item(body.item, order)) return no;
  asked_ = order.item;
  if (Objection no = take_user(request, order)) return no;
  if (Objection no = take_key(request, order)) return no;
  order.quantity = body.quantity;
  if (over_ms != 0) return object_to_rate(order, over_ms);
  order.objection = admission().objection_to(order, body.link);
  return std::nullopt;
}

// Whoever asks: by a ticket, or by what a gateway says.
PublicApi::Objection PublicApi::take_user(const http::Request& request, OrderRequest& order) const {
  std::optional<UserText> user;
  if (!settings_.by_ticket) {
    if (door::is_user_id(request.user_id)) user = UserText(request.user_id);
  } else if (keys_ != nullptr) {
    user = door::verify_ticket(http::bearer_token(request.authorization), keys_->tickets,
                               now_.wall_ns / kSecond);
  }
  if (!user) return Refusal{.verdict = Verdict::unauthenticated};
  order.user = *user;
  order.user_hash = keyed_hash(settings_.hash_key, *user);
  return std::nullopt;
}

// For what a user does with orders that he has: whoever is known is read before those who want new ones.
PublicApi::Objection PublicApi::take_owner(const http::Request& request, OrderRequest& order,
                                           const ReplyTo& place) {
  const Objection no = take_user(request, order);
  if (!no) answers_.note_user(place, order.user);
  answers_.rank(place, no ? net::Rank::usual : net::Rank::second);
  return no;
}

PublicApi::Objection PublicApi::take_key(const http::Request& request, OrderRequest& order) const {
  if (request.idempotency_key.empty()) return std::nullopt;  // or blanked by a gateway
  const std::optional<KeyText> key = http::carried_key(request.idempotency_key);
  if (!key)
    return Refusal{.verdict = Verdict::bad_request,
                   .reason = "Idempotency-Key must be 1 to 255 visible ASCII characters"};
  order.key = *key;
  order.key_hash = keyed_hash(settings_.hash_key, *key);
  return std::nullopt;
}

PublicApi::Objection PublicApi::take_item(std::string_view code, OrderRequest& order) const {
  order.item = catalog_.find(code);
  if (order.item == kNoItem) return Refusal{.verdict = Verdict::unknown_item};
  return std::nullopt;
}

// A winner who asks again is never refused by a limit, and who is one is known at the user's home shard: an order over the
// rate is passed on with the objection, unless nothing can be repeated and nothing held.
PublicApi::Objection PublicApi::object_to_rate(OrderRequest& order, uint32_t over_ms) const {
  const bool may_be_held = !order.key.empty() || catalog_.sale(order.item).per_user_limit != 0;
  if (!may_be_held) return over_rate(over_ms);
  order.objection = Verdict::rate_limited;
  order.objection_limit = Limit::address;
  order.objection_retry_ms = over_ms;
  return std::nullopt;
}

// Whatever the door has against the order of an address over its rate, the rate is what is said: who is limited learns neither
// codes nor tickets.
PublicApi::Objection PublicApi::create(const http::Request& request, const ReplyTo& place,
                                       uint32_t over_ms) {
  OrderRequest order;
  order.kind = RequestKind::create;
  const Objection no = open_door(request, order, over_ms);
  if (!order.user.empty()) answers_.note_user(place, order.user);
  if (no) return over_ms == 0 ? no : over_rate(over_ms);
  submit(order, place);
  return std::nullopt;
}

PublicApi::Objection PublicApi::list(const http::Request& request, const http::Route& route,
                                     const ReplyTo& place) {
  OrderRequest order;
  order.kind = RequestKind::list;
  order.reply_to = place;
  if (Objection no = take_owner(request, order, place)) return no;
  if (Objection no = take_item(route.item_code, order)) return no;
  lists_.begin(order);
  return std::nullopt;
}

PublicApi::Objection PublicApi::read(const http::Request& request, const http::Route& route,
                                     const ReplyTo& place) {
  OrderRequest order;
  const bool may_wait = rules_->limits.degrade < door::Degrade::no_polls;
  order.kind = route.wait_ms > 0 && may_wait ? RequestKind::watch : RequestKind::read;
  order.order = route.order_id;
  order.wait_ms = route.wait_ms;
  order.reply_to = place;
  if (Objection no = take_owner(request, order, place)) return no;
  if (order.kind == RequestKind::watch && !is_foreign(order)) polls_.begin(order, route.wait_ms);
  submit(order, place);
  return std::nullopt;
}

PublicApi::Objection PublicApi::cancel(const http::Request& request, const http::Route& route,
                                       const ReplyTo& place) {
  OrderRequest order;
  order.kind = RequestKind::cancel;
  order.order = route.order_id;
  if (Objection no = take_owner(request, order, place)) return no;
  submit(order, place);
  return std::nullopt;
}

PublicApi::Objection PublicApi::pay(const http::Request& request, const http::Route& route,
                                    const ReplyTo& place) {
  const bool is_signed =
      keys_ != nullptr && door::verify_signature(request.signature, request.body, keys_->payments,
                                                 now_.wall_ns / kSecond);
  answers_.rank(place, is_signed ? net::Rank::first : net::Rank::usual);
  if (!is_signed)
    return Refusal{.verdict = Verdict::unauthenticated,
                   .reason = "Stampede-Signature is missing, too old or not by a payment key"};
  const http::PaymentBody body = http::parse_payment(request.body);
  if (body.error != nullptr) return Refusal{.verdict = Verdict::bad_request, .reason = body.error};
  OrderRequest order;
  order.kind = RequestKind::pay;
  order.order = route.order_id;
  order.payment = body.payment_id;
  order.amount = body.amount;
  order.currency = body.currency;
  order.payment_status = body.status;
  submit(order, place);
  return std::nullopt;
}

// An order has its node in its id.
bool PublicApi::is_foreign(const OrderRequest& order) const {
  return !is_by_user(order.kind) && order.order.node() != settings_.node;
}

void PublicApi::submit(OrderRequest& order, const ReplyTo& place) {
  order.reply_to = place;
  order.received_boot_ns = now_.boot_ns;
  PROBE(door_passed, place.shard, place.place, place.serial, order.kind, order.item,
        order.order.value);
  if (is_foreign(order)) {
    OrderAnswer answer;
    answer.reply_to = place;
    answer.kind = order.kind;
    answer.verdict = Verdict::misdirected;
    answer.node = static_cast<uint16_t>(order.order.node());
    return answers_.complete(answer);
  }
  if (orders_.submit(order)) return;
  if (order.kind == RequestKind::watch) polls_.forget(place.place);
  if (wants_units(order.kind)) count_refusal(order.item, Verdict::overloaded);
  answers_.refuse(place, {.verdict = Verdict::overloaded});
}

// ---- items and time ----

PublicApi::Objection PublicApi::answer_item(const http::Request& request, const http::Route& route,
                                            const ReplyTo& place) {
  const ItemId item = catalog_.find(route.item_code);
  if (item == kNoItem) return Refusal{.verdict = Verdict::unknown_item};
  if (route.kind == RouteKind::read_stock) {
    stock_.ask(place, item, now_);
    return std::nullopt;
  }
  std::string body;
  stock::append_item_json(catalog_.terms(item), body);
  const int64_t ends_ms = catalog_.sale(item).ends_ms;
  // Without an end, an hour: prices and titles may still be changed by an operator.
  const int64_t age_s =
      ends_ms == 0 ? kOpenEndedAgeS : std::max<int64_t>(0, (ends_ms - now_.wall_ms()) / 1000);
  TextAnswer answer = cacheable(stock::entity_tag(body), age_s, request);
  if (answer.status == http::StatusCode::ok) answer.body = std::move(body);
  answers_.complete(place, std::move(answer));
  return std::nullopt;
}

// Pages of bounds::items_per_page items: ?after=CODE goes on behind an item, to the end of the page that the next one is in.
PublicApi::Objection PublicApi::answer_items(const http::Request& request, const http::Route& route,
                                             const ReplyTo& place) {
  ItemId first = 0;
  if (!route.item_code.empty()) {
    const ItemId after = catalog_.find(route.item_code);
    if (after == kNoItem) return Refusal{.verdict = Verdict::unknown_item};
    first = after + 1;
  }
  pages_.answer(place, first, request);
  return std::nullopt;
}

// Given to a user only while the sale is open, and kept nowhere: the order brings it back. What stands against it is said
// here, as with an order; a request that may have the link is counted at the user's home shard.
PublicApi::Objection PublicApi::make_link(const http::Request& request, const http::Route& route,
                                          const ReplyTo& place) {
  OrderRequest asked;
  asked.kind = RequestKind::link;
  if (Objection no = take_item(route.item_code, asked)) return no;
  if (!catalog_.sale(asked.item).has_hidden_link)
    return Refusal{.verdict = Verdict::not_found, .reason = "this item is sold without a link"};
  if (Objection no = take_user(request, asked)) return no;
  const Verdict verdict = admission().may_have_link(asked, request.proof);
  if (verdict == Verdict::ok) {
    submit(asked, place);
    return std::nullopt;
  }
  OrderAnswer refusal;
  refusal.reply_to = place;
  refusal.verdict = verdict;
  refusal.received_boot_ns = now_.boot_ns;
  refusal.starts_at_ms = catalog_.sale(asked.item).starts_ms;
  count_refusal(asked.item, verdict);
  answers_.complete(refusal);
  return std::nullopt;
}

void PublicApi::count_refusal(ItemId item, Verdict verdict, Limit limit) {
  if (item != kNoItem && is_refusal(verdict)) answers_.count_refusal(item, verdict, limit);
}

// The home shard has counted the request.
void PublicApi::give_link(const OrderAnswer& counted) {
  // No start and no change of keys lets it come to this while such an item is sold.
  if (!admission().has_link_keys()) {
    count_refusal(counted.order.item, Verdict::try_again);
    return answers_.refuse(counted.reply_to, {.verdict = Verdict::try_again});
  }
  answers_.complete(counted.reply_to, TextAnswer{.headers = "Cache-Control: no-store\r\n",
                                                 .body = admission().link_json(
                                                     counted.order.user, counted.order.item)});
}

void PublicApi::answer_time(const ReplyTo& place) {
  const int64_t wall_ms = now_.wall_ms();
  answers_.complete(place, TextAnswer{.headers = "Cache-Control: no-store\r\n",
                                      .body = "{\"server_time\":" + time_json(wall_ms) +
                                              ",\"unix_ms\":" + std::to_string(wall_ms) + "}"});
}

// ---- answers of desks ----

void PublicApi::complete(const OrderAnswer& answer) {
  if (wants_units(answer.kind)) count_refusal(answer.order.item, answer.verdict, answer.limit);
  if (!answers_.is_waiting(answer.reply_to)) return;  // the connection has gone
  switch (answer.kind) {
    case RequestKind::list:
      return lists_.take(answer);
    case RequestKind::link:
      return answer.verdict == Verdict::ok ? give_link(answer) : answers_.complete(answer);
    case RequestKind::watch:
      if (!answer.is_watching) {
        polls_.forget(answer.reply_to.place);
        return answers_.complete(answer);
      }
      if (!polls_.wait(answer.reply_to, now_)) end_poll(answer.reply_to.place);
      return;
    case RequestKind::create:
      if (answer.verdict != Verdict::bad_request) return answers_.complete(answer);
      return answers_.refuse(
          answer.reply_to,
          {.verdict = answer.verdict, .reason = "qty is more than one user may buy of this item"});
    default:
      return answers_.complete(answer);
  }
}

// The order is read once more: its state now is the answer.
void PublicApi::end_poll(uint32_t place) {
  std::optional<OrderRequest> request = polls_.end(place);
  if (request) submit(*request, request->reply_to);
}

void PublicApi::abandon(ReplyTo place) {
  lists_.abandon(place);
  polls_.forget(place.place);
}

// ---- time ----

void PublicApi::pass_time(Moment now) {
  now_ = now;
  uint32_t budget = bounds::expiries_per_turn_max;
  for (uint32_t place; (place = polls_.next_due(now, budget)) != kNone;) end_poll(place);
  stock_.pass_time(now);
  pages_.pass_time();
  lists_.pass_time([this](OrderRequest question) {
    question.received_boot_ns = now_.boot_ns;
    return orders_.submit(question);
  });
}

int64_t PublicApi::quiet_until_ns() const {
  return std::min(polls_.quiet_until_ns(), stock_.quiet_until_ns());
}

}  // namespace stampede::shard
