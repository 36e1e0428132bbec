#include "shard/front.h"

#include <algorithm>
#include <cstring>

#include "base/time_text.h"
#include "door/signature.h"
#include "door/ticket.h"
#include "http/fields.h"
#include "http/idempotency_key.h"
#include "http/json.h"
#include "stock/catalog_json.h"

namespace stampede::shard {
namespace {

using http::RouteKind;

constexpr size_t kReadBytes =
    32 * 1024;  // one read; what of it cannot be taken yet fits into a large chunk
static_assert(kReadBytes <= net::chunk_capacity(net::ChunkSize::large));
constexpr uint16_t kStockLooksMax =
    10'000;  // turns that a question about stock waits for the ledger
constexpr int64_t kStopPatienceNs =
    3 * kSecond;  // then clients that take no answers are left behind
constexpr int64_t kListenerRestNs = 100 * kMillisecond;

constexpr uint64_t token_of(uint32_t index, uint32_t serial) {
  return (uint64_t{serial & 0x3fffffff} << 32) | index;
}

// What a repeated Idempotency-Key must agree on: not the spelling of the JSON, but what it asks for.
uint64_t body_hash_of(ItemId item, Quantity quantity) {
  return mix((uint64_t{item} << 32) | quantity) | 1;
}

std::string time_json(int64_t wall_ms) {
  char text[kTimeTextBytes];
  render_time(wall_ms, text);
  return "\"" + std::string(text, sizeof text) + "\"";
}

}  // namespace

Front::Front(const FrontSettings& settings, net::Net& net, const stock::Catalog& catalog,
             Orders& orders, Metrics& metrics, Moment now)
    : settings_(settings),
      net_(net),
      catalog_(catalog),
      orders_(orders),
      metrics_(metrics),
      now_(now),
      connections_(settings.connections_max),
      places_(bounds::places_max),
      deadlines_(settings.connections_max, now.boot_ns),
      watch_wheel_(bounds::places_max, now.boot_ns),
      read_scratch_(kReadBytes),
      body_scratch_(bounds::body_bytes_max) {
  date_.refresh(now.wall_ns);
}

// ---- connections ----

void Front::add_listener(net::Socket socket, bool is_admin) {
  const uint64_t token = kListenerToken | listeners_.size();
  listeners_.push_back(
      {.socket = socket, .is_admin = is_admin, .is_watched = true, .rest_until_ns = 0});
  if (!net_.watch(socket, token, net::Interest::read))
    fatal(kExitFailure, "cannot watch a listening socket");
}

void Front::on_event(const net::Event& event, Moment now) {
  now_ = now;
  if (event.token & kListenerToken) return accept_some(static_cast<uint32_t>(event.token));
  const uint32_t index = static_cast<uint32_t>(event.token);
  Connection& connection = connections_[index];
  // An event of a connection that was closed, or whose cell has a new owner, earlier in this turn.
  if (!connection.is_open || event.token != token_of(index, connection.serial)) return;
  if (event.broken && !event.readable) return close_connection(index);
  if (event.writable) mark_dirty(index);
  if (event.readable || event.half_closed) read_some(index);
}

void Front::accept_some(uint32_t listener_index) {
  if (is_stopping_) return;  // closed earlier in this turn, which still holds its event
  Listener& listener = listeners_[listener_index];
  for (uint32_t budget = bounds::accepts_per_turn_max; budget > 0; --budget) {
    const net::Accepted accepted = net_.accept(listener.socket);
    switch (accepted.status) {
      case net::Accepted::Status::accepted:
        open_connection(accepted.socket, listener.is_admin);
        break;
      case net::Accepted::Status::aborted:
        break;
      case net::Accepted::Status::shed:
        metrics_.connections_shed.add();
        break;
      case net::Accepted::Status::none:
        return;
      case net::Accepted::Status::exhausted:
        // Level-triggered: watching on would spin until a descriptor is free.
        net_.unwatch(listener.socket);
        listener.is_watched = false;
        listener.rest_until_ns = now_.boot_ns + kListenerRestNs;
        return;
    }
  }
}

void Front::open_connection(net::Socket socket, bool is_admin) {
  const uint32_t index = connections_.allocate();
  if (index == kNone) {
    metrics_.connections_shed.add();
    return net_.reset(socket);
  }
  Connection& connection = connections_[index];
  const uint32_t serial = connection.serial + 1;
  connection = Connection{};
  connection.serial = serial;
  connection.socket = socket;
  connection.is_admin = is_admin;
  connection.is_open = true;
  if (!net_.watch(socket, token_of(index, serial), net::Interest::read)) {
    metrics_.connections_shed.add();
    return close_connection(index);
  }
  metrics_.connections_accepted.add();
  metrics_.connections_open.set(connections_.used());
  set_deadline(index, Connection::Waiting::head, bounds::head_deadline_ms);
}

// Orders that are under way stay valid: their buyer finds them by key or by list. Their answers find no place.
void Front::close_connection(uint32_t index) {
  Connection& connection = connections_[index];
  while (connection.first_place != kNone) {
    const uint32_t place = connection.first_place;
    connection.first_place = places_[place].next;
    drop_place(place);
  }
  if (!connection.output.empty()) --connections_with_output_;
  connection.input.clear(buffers_);
  connection.output.clear(buffers_);
  net_.close(connection.socket);
  deadlines_.cancel(index);
  connection.is_open = false;
  connections_.release(index);
  metrics_.connections_open.set(connections_.used());
}

void Front::read_some(uint32_t index) {
  Connection& connection = connections_[index];
  if (connection.waiting == Connection::Waiting::linger) {
    const net::Io io = net_.read(connection.socket, read_scratch_);
    connection.linger_bytes += io.bytes;
    if (io.status == net::Io::Status::closed || connection.linger_bytes > bounds::linger_bytes_max)
      close_connection(index);
    return;
  }
  if (!may_take_request(connection)) return update_interest(index);
  const bool is_kept = !connection.input.empty();
  const std::span<char> into =
      is_kept ? connection.input.room(buffers_) : std::span<char>(read_scratch_);
  if (into.empty()) {  // no chunk left in the pool: memory has an end
    metrics_.connections_shed.add();
    return close_connection(index);
  }
  const net::Io io = net_.read(connection.socket, into);
  if (io.status == net::Io::Status::would_block) return;
  if (io.status == net::Io::Status::closed) {
    // Half-closed: what was asked completely is still answered; half a request is nothing.
    connection.input_ended = true;
    connection.is_closing = true;
    connection.input.clear(buffers_);
    mark_dirty(index);
    return;
  }
  metrics_.bytes_read.add(io.bytes);
  if (is_kept) {
    connection.input.extend(io.bytes);
    take_input(index, connection.input.kept());
  } else {
    take_input(index, into.first(io.bytes));
  }
}

// Takes what can be taken of `bytes`, which are the kept input or fresh from the socket, and keeps the rest.
void Front::take_input(uint32_t index, std::span<const char> bytes) {
  Connection& connection = connections_[index];
  const bool is_kept = !connection.input.empty();
  const size_t used = parse_some(index, bytes);
  if (is_kept) {
    connection.input.consume(buffers_, used);
  } else if (used < bytes.size() && !connection.input.append(buffers_, bytes.subspan(used))) {
    metrics_.connections_shed.add();
    return close_connection(index);
  }
  if (connection.input.empty() && connection.place_count == 0)
    set_deadline(index, Connection::Waiting::idle, bounds::idle_deadline_ms);
  mark_dirty(index);
}

bool Front::may_take_request(const Connection& connection) const {
  return !connection.is_closing && connection.place_count < bounds::pipelined_max &&
         connection.output.bytes() < bounds::output_bytes_max && !places_.is_full();
}

size_t Front::parse_some(uint32_t index, std::span<const char> bytes) {
  Connection& connection = connections_[index];
  size_t used = 0;
  while (used < bytes.size() && may_take_request(connection)) {
    const http::Parsed parsed = http::parse(bytes.subspan(used), body_scratch_);
    if (parsed.status == http::ParseStatus::bad) {
      refuse_connection(index, parsed.refusal, parsed.reason);
      return bytes.size();
    }
    if (parsed.status == http::ParseStatus::need_more) {
      // "100 Continue" stands in the order of the answers too: it waits for those that are owed.
      if (parsed.wants_continue && !connection.continue_sent && connection.place_count == 0) {
        const bool had_output = !connection.output.empty();
        connection.continue_sent = connection.output.append(buffers_, http::kContinue);
        if (!had_output && connection.continue_sent) ++connections_with_output_;
        mark_dirty(index);
      }
      if (parsed.is_head_complete)
        set_deadline(index, Connection::Waiting::body, bounds::body_deadline_ms);
      else
        set_deadline(index, Connection::Waiting::head, bounds::head_deadline_ms);
      return used;
    }
    used += parsed.consumed;
    connection.continue_sent = false;
    dispatch(index, parsed.request);
  }
  // A full line: go on when answers have left.
  if (used < bytes.size() && !connection.is_closing) stall(index);
  return used;
}

void Front::refuse_connection(uint32_t index, Verdict verdict, const char* reason) {
  Connection& connection = connections_[index];
  connection.is_closing = true;
  connection.must_linger = true;
  const uint32_t place = add_place(index, http::Request{});
  if (place == kNone) return mark_dirty(index);
  places_[place].closes = true;
  refuse(place, {.verdict = verdict, .reason = reason});
}

// ---- requests ----

void Front::dispatch(uint32_t index, const http::Request& request) {
  Connection& connection = connections_[index];
  ++connection.requests;
  if (connection.last_place != kNone && connection.place_count > 0 &&
      places_[connection.last_place].state == Place::State::watching)
    end_watch(connection.last_place);  // somebody waits behind the long poll
  const uint32_t place = add_place(index, request);
  CHECK(place != kNone);  // may_take_request() has looked
  set_deadline(index, Connection::Waiting::answer, 0);
  if (!request.keep_alive || connection.requests == bounds::requests_per_connection_max) {
    places_[place].closes = true;
    connection.is_closing = true;
  }
  if (!connection.is_admin) {
    metrics_.requests.add();
    return dispatch_public(place, request);
  }
  admin_->handle(request, reply_to(place), net::text_of(net_.peer_of(connection.socket)));
}

void Front::dispatch_public(uint32_t place, const http::Request& request) {
  const http::Route route = http::route(request);
  if (route.is_refused) {
    if (route.refusal.verdict == Verdict::length_required) {
      Connection& connection = connections_[places_[place].connection];
      places_[place].closes = connection.is_closing = connection.must_linger = true;
    }
    return refuse(place, route.refusal);
  }
  switch (route.kind) {
    case RouteKind::create_order:
    case RouteKind::list_orders:
    case RouteKind::read_order:
    case RouteKind::cancel_order:
      return dispatch_order(place, request, route);
    case RouteKind::pay_order:
      return dispatch_payment(place, request, route);
    case RouteKind::list_items:
      return answer_items(place, request, route);
    case RouteKind::describe_server:
      return complete(reply_to(place),
                      TextAnswer{.headers = std::string(http::kServerAllows), .body = "{}"});
    case RouteKind::read_time:
      return complete(reply_to(place),
                      TextAnswer{.headers = "Cache-Control: no-store\r\n",
                                 .body = "{\"server_time\":" + time_json(now_.wall_ms()) +
                                         ",\"unix_ms\":" + std::to_string(now_.wall_ms()) + "}"});
    default:
      break;
  }
  const ItemId item = catalog_.find(route.item_code);
  if (item == kNoItem) return refuse(place, {.verdict = Verdict::unknown_item});
  if (route.kind == RouteKind::read_item) return answer_item(place, request, item);
  if (route.kind == RouteKind::read_stock) {
    places_[place].wait_ms = kStockLooksMax;
    return answer_stock(place, item);
  }
  refuse(place, {.verdict = Verdict::not_found, .reason = "this item is sold without a link"});
}

std::optional<UserText> Front::user_of(const http::Request& request) const {
  if (!settings_.by_ticket) {
    if (!http::is_user_id(request.user_id)) return std::nullopt;
    return UserText(request.user_id);
  }
  if (keys_ == nullptr) return std::nullopt;
  return door::verify_ticket(http::bearer_token(request.authorization), keys_->tickets,
                             now_.wall_ns / kSecond);
}

void Front::dispatch_order(uint32_t place, const http::Request& request, const http::Route& route) {
  const std::optional<UserText> user = user_of(request);
  if (!user) return refuse(place, {.verdict = Verdict::unauthenticated});
  OrderRequest order;
  order.user = *user;
  order.user_hash = keyed_hash(settings_.hash_key, *user);
  order.order = route.order_id;
  switch (route.kind) {
    case RouteKind::create_order:
      if (!fill_create(order, place, request)) return;
      break;
    case RouteKind::list_orders:
      order.kind = RequestKind::list;
      order.item = catalog_.find(route.item_code);
      if (order.item == kNoItem) return refuse(place, {.verdict = Verdict::unknown_item});
      break;
    case RouteKind::read_order:
      order.kind = route.wait_ms > 0 && !is_stopping_ ? RequestKind::watch : RequestKind::read;
      places_[place].wait_ms = static_cast<uint16_t>(route.wait_ms);
      break;
    default:
      order.kind = RequestKind::cancel;
      break;
  }
  submit(place, order);
}

// False when the request was refused.
bool Front::fill_create(OrderRequest& order, uint32_t place, const http::Request& request) {
  order.kind = RequestKind::create;
  const http::CreateBody body = http::parse_create(request.body);
  if (body.error != nullptr)
    return refuse(place, {.verdict = Verdict::bad_request, .reason = body.error}), false;
  if (request.idempotency_key.data() != nullptr) {
    const std::optional<KeyText> key = http::carried_key(request.idempotency_key);
    if (!key)
      return refuse(place, {.verdict = Verdict::bad_request,
                            .reason = "Idempotency-Key must be 1 to 255 visible ASCII characters"}),
             false;
    order.key = *key;
  }
  order.item = catalog_.find(body.item);
  if (order.item == kNoItem) return refuse(place, {.verdict = Verdict::unknown_item}), false;
  order.quantity = body.quantity;
  order.body_hash = body_hash_of(order.item, order.quantity);
  return true;
}

void Front::dispatch_payment(uint32_t place, const http::Request& request,
                             const http::Route& route) {
  if (keys_ == nullptr || !door::verify_signature(request.signature, request.body, keys_->payments,
                                                  now_.wall_ns / kSecond))
    return refuse(place,
                  {.verdict = Verdict::unauthenticated,
                   .reason = "Stampede-Signature is missing, too old or not by a payment key"});
  const http::PaymentBody body = http::parse_payment(request.body);
  if (body.error != nullptr)
    return refuse(place, {.verdict = Verdict::bad_request, .reason = body.error});
  OrderRequest order;
  order.kind = RequestKind::pay;
  order.order = route.order_id;
  order.payment = body.payment_id;
  order.amount = body.amount;
  order.currency = body.currency;
  order.payment_status = body.status;
  submit(place, order);
}

void Front::submit(uint32_t place, const OrderRequest& request) {
  OrderRequest order = request;
  order.reply_to = reply_to(place);
  order.received_boot_ns = now_.boot_ns;
  Place& kept = places_[place];
  kept.kind = order.kind;
  // Remembered for the further questions of a list or a long poll.
  kept.answer.order.user = order.user;
  kept.answer.order.id = order.order;
  kept.answer.order.item = order.item;
  const bool names_order = order.kind != RequestKind::create && order.kind != RequestKind::list;
  if (names_order && order.order.node() != settings_.node) {
    OrderAnswer answer;
    answer.reply_to = order.reply_to;
    answer.kind = order.kind;
    answer.verdict = Verdict::misdirected;
    answer.node = static_cast<uint16_t>(order.order.node());
    return complete(answer);
  }
  if (!orders_.submit(order)) refuse(place, {.verdict = Verdict::overloaded});
}

void Front::refuse(uint32_t place, const http::Refusal& refusal) {
  complete(reply_to(place), TextAnswer{.body = refusal.reason == nullptr ? "" : refusal.reason,
                                       .refusal = refusal.verdict,
                                       .allow = refusal.allow});
}

// ---- items ----

void Front::answer_item(uint32_t place, const http::Request& request, ItemId item) {
  std::string body;
  stock::append_item_json(catalog_.terms(item), body);
  const std::string tag = stock::entity_tag(body);
  const int64_t ends_ms = catalog_.sale(item).ends_ms;
  // Without an end, an hour: prices and titles may still be changed by an operator.
  const int64_t age_s =
      ends_ms == 0 ? 3600 : std::max<int64_t>(0, (ends_ms - now_.wall_ms()) / 1000);
  TextAnswer answer{.headers = "ETag: " + tag + "\r\nCache-Control: public, max-age=" +
                               std::to_string(age_s) + "\r\n"};
  if (http::is_unchanged(request, tag))
    answer.status = http::StatusCode::not_modified;
  else
    answer.body = std::move(body);
  complete(reply_to(place), std::move(answer));
}

// Pages of bounds::items_per_page items: ?after=CODE goes on behind an item.
void Front::answer_items(uint32_t place, const http::Request& request, const http::Route& route) {
  ItemId first = 0;
  if (!route.item_code.empty()) {
    const ItemId after = catalog_.find(route.item_code);
    if (after == kNoItem) return refuse(place, {.verdict = Verdict::unknown_item});
    first = after + 1;
  }
  const ItemId end = std::min<ItemId>(catalog_.id_end(), first + bounds::items_per_page);
  std::string body = "{\"items\":[";
  for (ItemId item = first; item < end; ++item) {
    if (!catalog_.contains(item)) continue;
    if (body.back() == '}') body += ',';
    stock::append_item_json(catalog_.terms(item), body);
  }
  body += ']';
  if (end < catalog_.id_end()) body += ",\"next\":\"" + std::string(catalog_.code(end - 1)) + "\"";
  body += '}';
  const std::string tag = stock::entity_tag(body);
  TextAnswer answer{.headers = "ETag: " + tag + "\r\nCache-Control: public, max-age=60\r\n"};
  if (http::is_unchanged(request, tag))
    answer.status = http::StatusCode::not_modified;
  else
    answer.body = std::move(body);
  complete(reply_to(place), std::move(answer));
}

void Front::answer_stock(uint32_t place, ItemId item) {
  const Orders::Glance glance = orders_.glance(item);
  // News is on its way: look again when it is here, but not for ever.
  if (!glance.is_known) {
    if (places_[place].wait_ms == 0) return refuse(place, {.verdict = Verdict::try_again});
    return stock_waits_.push_back({.place = reply_to(place), .item = item});
  }
  const stock::SaleTerms& sale = catalog_.sale(item);
  const char* state = "open";
  if (sale.is_ended || (sale.ends_ms != 0 && now_.wall_ms() >= sale.ends_ms))
    state = "ended";
  else if (sale.starts_ms != 0 && now_.wall_ms() < sale.starts_ms)
    state = "not_started";
  else if (sale.is_paused)
    state = "paused";
  else if (glance.available == 0)
    state = "sold_out";
  complete(reply_to(place),
           TextAnswer{.headers = "Cache-Control: no-store\r\n",
                      .body = std::string("{\"state\":\"") + state +
                              "\",\"available\":" + std::to_string(glance.available) +
                              ",\"server_time\":" + time_json(now_.wall_ms()) + "}"});
}

// ---- places ----

uint32_t Front::add_place(uint32_t connection_index, const http::Request& request) {
  const uint32_t index = places_.allocate();
  if (index == kNone) return kNone;
  Place& place = places_[index];
  place.next = kNone;
  place.connection = connection_index;
  place.state = Place::State::waiting;
  place.kind = RequestKind::read;
  place.is_head = request.method == http::Method::head;
  place.closes = false;
  place.is_1_0 = request.is_http_1_0;
  place.wait_ms = 0;
  place.listed = 0;
  Connection& connection = connections_[connection_index];
  place.is_admin = connection.is_admin;
  if (connection.place_count++ == 0)
    connection.first_place = index;
  else
    places_[connection.last_place].next = index;
  connection.last_place = index;
  return index;
}

void Front::drop_place(uint32_t index) {
  Place& place = places_[index];
  watch_wheel_.cancel(index);
  if (place.state == Place::State::answered_text) texts_.erase(index);
  if (place.kind == RequestKind::list) lists_.erase(index);
  ++place.serial;  // an answer that is still under way finds nobody
  places_.release(index);
}

ReplyTo Front::reply_to(uint32_t place) const {
  return {.shard = static_cast<uint16_t>(settings_.shard),
          .place = place,
          .serial = places_[place].serial};
}

bool Front::is_current(const ReplyTo& to) const {
  return places_[to.place].serial == to.serial;
}

void Front::complete(const OrderAnswer& answer) {
  if (!is_current(answer.reply_to)) return;  // the connection has gone
  const uint32_t index = answer.reply_to.place;
  Place& place = places_[index];
  if (place.state != Place::State::waiting && place.state != Place::State::watching) return;
  if (answer.is_watching) return begin_watch(index);
  if (place.kind == RequestKind::list && answer.verdict == Verdict::ok) {
    if (answer.has_order) lists_[index].append(answer.order, catalog_.code(answer.order.item));
    place.answer.order.id = answer.order.id;
    if (answer.has_more && ++place.listed < bounds::list_orders_max)
      return continuations_.push_back(answer.reply_to);
    return complete(answer.reply_to, TextAnswer{.body = std::string(lists_[index].finish())});
  }
  if (place.kind == RequestKind::create && answer.verdict == Verdict::bad_request)
    return refuse(index, {.verdict = answer.verdict,
                          .reason = "qty is more than one user may buy of this item"});
  place.answer = answer;
  place.state = Place::State::answered;
  settle(index);
}

void Front::complete(ReplyTo to, TextAnswer answer) {
  if (!is_current(to)) return;
  texts_[to.place] = std::move(answer);
  places_[to.place].state = Place::State::answered_text;
  settle(to.place);
}

void Front::settle(uint32_t place) {
  const uint32_t connection = places_[place].connection;
  if (connections_[connection].first_place == place) write_answers(connection);
}

// Renders every answer at the front of the line.
void Front::write_answers(uint32_t connection_index) {
  Connection& connection = connections_[connection_index];
  while (connection.place_count > 0) {
    const uint32_t index = connection.first_place;
    const Place& place = places_[index];
    if (place.state != Place::State::answered && place.state != Place::State::answered_text) break;
    if (!render(connection, index)) {
      // No memory for the answer: the client must ask again. Closed by flush(), for others may hold this index now.
      connection.is_closing = connection.must_linger = true;
      metrics_.connections_shed.add();
    }
    connection.first_place = place.next;
    if (--connection.place_count == 0) connection.last_place = kNone;
    drop_place(index);
  }
  mark_dirty(connection_index);
}

http::Delivery Front::delivery_of(const Place& place) const {
  auto option = http::ConnectionOption::none;
  if (place.closes)
    option = http::ConnectionOption::close;
  else if (place.is_1_0)
    option = http::ConnectionOption::keep_alive;
  return {.date = date_, .connection = option, .is_head = place.is_head};
}

bool Front::render(Connection& connection, uint32_t index) {
  const Place& place = places_[index];
  const bool had_output = !connection.output.empty();
  const std::span<char> room = connection.output.room(buffers_, http::response_bytes_max);
  if (room.empty()) return false;
  bool is_whole = true;
  if (place.state == Place::State::answered) {
    const std::string_view code =
        place.answer.has_order ? catalog_.code(place.answer.order.item) : std::string_view{};
    connection.output.extend(http::render_answer(place.answer, code, delivery_of(place), room));
    count_answer(place.answer);
  } else {
    const TextAnswer& text = texts_.at(index);
    if (text.refusal != Verdict::ok) {
      const char* reason = text.body.empty() ? nullptr : text.body.c_str();
      connection.output.extend(
          http::render_refusal({.verdict = text.refusal, .reason = reason, .allow = text.allow},
                               delivery_of(place), room));
    } else {
      connection.output.extend(http::render_head(text.status, text.content_type, text.headers,
                                                 text.body.size(), delivery_of(place), room));
      if (!place.is_head) is_whole = connection.output.append(buffers_, text.body);
    }
    if (!place.is_admin) metrics_.answers[static_cast<unsigned>(text.refusal)].add();
  }
  if (!had_output && !connection.output.empty()) ++connections_with_output_;
  return is_whole;
}

void Front::count_answer(const OrderAnswer& answer) {
  metrics_.answers[static_cast<unsigned>(answer.verdict)].add();
  if (answer.verdict == Verdict::created)
    metrics_.acked_ns.record(now_.boot_ns - answer.received_boot_ns);
}

// ---- lists and long polls ----

void Front::continue_list(uint32_t place) {
  OrderRequest order;
  order.kind = RequestKind::list;
  order.user = places_[place].answer.order.user;
  order.user_hash = keyed_hash(settings_.hash_key, order.user);
  order.item = places_[place].answer.order.item;
  order.order = places_[place].answer.order.id;
  submit(place, order);
}

void Front::begin_watch(uint32_t index) {
  Place& place = places_[index];
  place.state = Place::State::watching;
  if (is_stopping_ || place.next != kNone) return end_watch(index);
  watch_wheel_.schedule(index, now_.boot_ns + place.wait_ms * kMillisecond);
}

// The wait is over without a change: the order is read once more, so that the answer is the truth of now.
void Front::end_watch(uint32_t index) {
  Place& place = places_[index];
  watch_wheel_.cancel(index);
  place.state = Place::State::waiting;
  OrderRequest order;
  order.kind = RequestKind::read;
  order.user = place.answer.order.user;
  order.user_hash = keyed_hash(settings_.hash_key, order.user);
  order.order = place.answer.order.id;
  submit(index, order);
}

// ---- the end of a turn ----

void Front::mark_dirty(uint32_t index) {
  Connection& connection = connections_[index];
  if (connection.is_dirty) return;
  connection.is_dirty = true;
  dirty_.push_back(index);
}

void Front::stall(uint32_t index) {
  Connection& connection = connections_[index];
  if (connection.is_stalled) return;
  connection.is_stalled = true;
  stalled_.push_back(index);
  metrics_.connections_stalled.add();
}

void Front::flush() {
  for (size_t i = 0; i < dirty_.size(); ++i) {
    const uint32_t index = dirty_[i];
    Connection& connection = connections_[index];
    connection.is_dirty = false;
    if (!connection.is_open) continue;
    bool is_blocked = false;
    while (!connection.output.empty() && !is_blocked) {
      const net::Io io = net_.write(connection.socket, connection.output.front());
      if (io.status == net::Io::Status::closed) break;
      is_blocked = io.status == net::Io::Status::would_block;
      metrics_.bytes_written.add(io.bytes);
      connection.output.consume(buffers_, io.bytes);
      if (io.bytes > 0 && connection.waiting == Connection::Waiting::write)
        connection.waiting =
            Connection::Waiting::answer;  // progress: the write deadline begins anew
      if (connection.output.empty()) --connections_with_output_;
    }
    if (!connection.output.empty() && !is_blocked)
      close_connection(index);
    else
      after_write(index);
  }
  dirty_.clear();
}

void Front::after_write(uint32_t index) {
  Connection& connection = connections_[index];
  if (!connection.output.empty()) {
    if (connection.waiting != Connection::Waiting::write)
      set_deadline(index, Connection::Waiting::write, bounds::write_deadline_ms);
  } else if (connection.is_closing && connection.place_count == 0) {
    if (connection.waiting == Connection::Waiting::linger) return;
    if (connection.input_ended || !(connection.must_linger || !connection.input.empty()))
      return close_connection(index);
    // RFC 9112 9.6: closing with unread input would reset the connection under the answer.
    net_.shut_down_write(connection.socket);
    set_deadline(index, Connection::Waiting::linger, bounds::linger_deadline_ms);
  } else if (connection.place_count == 0 && connection.input.empty() &&
             connection.waiting != Connection::Waiting::idle &&
             connection.waiting != Connection::Waiting::head) {
    set_deadline(index, Connection::Waiting::idle, bounds::idle_deadline_ms);
  } else if (connection.place_count == 0 && !connection.input.empty()) {
    // Half a request was kept while answers were owed: now its own deadline counts, and perhaps "100 Continue" is due.
    if (connection.waiting == Connection::Waiting::answer ||
        connection.waiting == Connection::Waiting::write)
      stall(index);
  }
  update_interest(index);
}

void Front::update_interest(uint32_t index) {
  Connection& connection = connections_[index];
  const bool is_lingering = connection.waiting == Connection::Waiting::linger;
  const bool reads = is_lingering || (!connection.input_ended && may_take_request(connection) &&
                                      !connection.is_stalled);
  const bool writes = !connection.output.empty();
  const net::Interest interest = reads && writes ? net::Interest::read_write
                                 : reads         ? net::Interest::read
                                 : writes        ? net::Interest::write
                                                 : net::Interest::none;
  if (interest == connection.interest) return;
  connection.interest = interest;
  net_.rewatch(connection.socket, token_of(index, connection.serial), interest);
}

// ---- time ----

// A deadline is total: bytes that trickle in do not move it, only what it waits for. The wheel is touched only when the
// new deadline is earlier than the one it holds; a later one is found when the timer fires.
void Front::set_deadline(uint32_t index, Connection::Waiting waiting, int64_t milliseconds) {
  Connection& connection = connections_[index];
  const bool is_total =
      waiting == Connection::Waiting::head || waiting == Connection::Waiting::body;
  if (is_total && connection.waiting == waiting && connection.deadline_ns != 0) return;
  connection.waiting = waiting;
  if (waiting == Connection::Waiting::answer) {
    connection.deadline_ns = INT64_MAX;
    return;
  }
  const int64_t deadline_ns = now_.boot_ns + milliseconds * kMillisecond;
  const bool is_scheduled = deadlines_.is_scheduled(index);
  const bool is_earlier = !is_scheduled || deadline_ns < connection.deadline_ns;
  connection.deadline_ns = deadline_ns;
  if (!is_earlier) return;
  deadlines_.cancel(index);
  deadlines_.schedule(index, deadline_ns);
}

void Front::on_deadline(uint32_t index) {
  Connection& connection = connections_[index];
  if (connection.waiting == Connection::Waiting::answer) {
    // Nobody is late; look again when the idle time would be over.
    deadlines_.schedule(index, now_.boot_ns + bounds::idle_deadline_ms * kMillisecond);
    return;
  }
  if (connection.deadline_ns > now_.boot_ns)
    return deadlines_.schedule(index, connection.deadline_ns);
  metrics_.connections_timed_out.add();
  const bool is_half_a_request =
      connection.waiting == Connection::Waiting::body ||
      (connection.waiting == Connection::Waiting::head && !connection.input.empty());
  if (!is_half_a_request) return close_connection(index);
  connection.input.clear(buffers_);
  refuse_connection(index, Verdict::request_timeout, nullptr);
}

void Front::pass_time(Moment now) {
  now_ = now;
  date_.refresh(now.wall_ns);
  uint32_t budget = bounds::expiries_per_turn_max;
  for (uint32_t index; (index = deadlines_.next_due(now.boot_ns, budget)) != kNone;)
    on_deadline(index);
  budget = bounds::expiries_per_turn_max;
  for (uint32_t place; (place = watch_wheel_.next_due(now.boot_ns, budget)) != kNone;)
    end_watch(place);
  for (uint32_t i = 0; i < listeners_.size(); ++i) {
    Listener& listener = listeners_[i];
    if (listener.is_watched || is_stopping_ || now.boot_ns < listener.rest_until_ns) continue;
    listener.is_watched = net_.watch(listener.socket, kListenerToken | i, net::Interest::read);
  }
  std::vector<StockWait> waits;
  waits.swap(stock_waits_);
  for (const StockWait& wait : waits) {
    if (!is_current(wait.place)) continue;
    --places_[wait.place.place].wait_ms;
    answer_stock(wait.place.place, wait.item);
  }
  if (is_stopping_ && now.boot_ns - stopped_ns_ > kStopPatienceNs) close_all();
  while (!continuations_.empty()) {
    const ReplyTo to = continuations_.back();
    continuations_.pop_back();
    if (is_current(to)) continue_list(to.place);
  }
  std::vector<uint32_t> stalled;
  stalled.swap(stalled_);
  for (const uint32_t index : stalled) {
    Connection& connection = connections_[index];
    connection.is_stalled = false;
    if (!connection.is_open) continue;
    if (!may_take_request(connection)) {
      if (!connection.is_closing) stall(index);
      continue;
    }
    if (!connection.input.empty()) take_input(index, connection.input.kept());
  }
}

int64_t Front::quiet_until_ns() const {
  int64_t until = std::min(deadlines_.quiet_until_ns(), watch_wheel_.quiet_until_ns());
  for (const Listener& listener : listeners_)
    if (!listener.is_watched && !is_stopping_) until = std::min(until, listener.rest_until_ns);
  return until;
}

void Front::close_all() {
  for (uint32_t index = 0; index < connections_.touched(); ++index)
    if (connections_[index].is_open) close_connection(index);
}

void Front::begin_stop(Moment now) {
  is_stopping_ = true;
  stopped_ns_ = now.boot_ns;
  for (Listener& listener : listeners_) net_.close(listener.socket);
  for (uint32_t index = 0; index < connections_.touched(); ++index) {
    Connection& connection = connections_[index];
    if (!connection.is_open) continue;
    // A request that has arrived is answered: with the truth that the server stops.
    read_some(index);
    if (!connection.is_open) continue;
    if (connection.place_count > 0 &&
        places_[connection.last_place].state == Place::State::watching)
      end_watch(connection.last_place);
    connection.is_closing = true;
    mark_dirty(index);
  }
}

}  // namespace stampede::shard
