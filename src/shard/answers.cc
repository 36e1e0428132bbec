#include "shard/answers.h"

#include "base/probe.h"

namespace stampede::shard {

// ---- for handlers ----

void Answers::complete(const OrderAnswer& answer) {
  if (!is_waiting(answer.reply_to)) return;
  table_.places.answer(answer.reply_to.place, answer);
  write_line(answer.reply_to.place);
}

void Answers::complete(const ReplyTo& to, TextAnswer answer) {
  if (!is_waiting(to)) return;
  if (answer.ends_connection) {
    Place& place = table_.places[to.place];
    CHECK(place.next == kNone);  // or what was taken for a request behind it is answered, too
    Connection& connection = table_.connections[place.connection];
    place.closes = connection.is_closing = connection.must_linger = true;
  }
  table_.places.answer(to.place, std::move(answer));
  write_line(to.place);
}

// Without words of its own a refusal needs no memory.
void Answers::refuse(const ReplyTo& place, const http::Refusal& refusal) {
  if (refusal.reason != nullptr || !refusal.allow.empty())
    return complete(place, TextAnswer{.body = refusal.reason == nullptr ? "" : refusal.reason,
                                      .refusal = refusal.verdict,
                                      .allow = refusal.allow});
  OrderAnswer answer;
  answer.reply_to = place;
  answer.verdict = refusal.verdict;
  answer.limit = refusal.limit;
  answer.retry_after_ms = refusal.retry_after_ms;
  complete(answer);
}

bool Answers::is_first(const ReplyTo& to) {
  CHECK(is_waiting(to));
  Place& place = table_.places[to.place];
  place.wants_turn = table_.connections[place.connection].line.first != to.place;
  return !place.wants_turn;
}

bool Answers::may_linger(const ReplyTo& to) {
  CHECK(is_waiting(to));
  Place& place = table_.places[to.place];
  place.wants_hurry = !table_.is_stopping && place.next == kNone && !is_guest(to);
  return place.wants_hurry;
}

std::string Answers::peer_of(const ReplyTo& to) const {
  CHECK(is_waiting(to));
  return net::text_of(net_.peer_of(table_.connections[connection_of(to)].socket));
}

void Answers::rank(const ReplyTo& to, net::Rank rank) {
  CHECK(is_waiting(to));
  flow_.rank(connection_of(to), rank);
}

const door::Address& Answers::address_of(const ReplyTo& to) {
  CHECK(is_waiting(to));
  return table_.connections[connection_of(to)].peer_address(net_);
}

// ---- places ----

ReplyTo Answers::begin(uint32_t index, Connection& connection, const http::Request& request) {
  const ReplyTo to = table_.places.reply_to(table_.places.add(connection.line, index, request));
  Place& place = table_.places[to.place];
  PROBE(request_parsed, to.shard, to.place, to.serial, request.method, request.body.size());
  note_request(place, connection, request);
  if (connection.service.is_public) metrics_.requests.add();
  return to;
}

// What its answer needs when the request is gone.
void Answers::note_request(Place& place, const Connection& connection,
                           const http::Request& request) {
  if (access_ != nullptr) [[unlikely]]
    place.access = access_->begin(request, connection.service.is_public, table_.now);
  if (connection.service.is_public) place.origin = table_.settings.origins.find(request.origin);
}

void Answers::refuse_connection(uint32_t index, const http::Request& request,
                                const http::Refusal& refusal) {
  Connection& connection = table_.connections[index];
  connection.is_closing = true;
  connection.must_linger = true;
  if (table_.places.is_full()) return sender_.add(index);
  const uint32_t place = table_.places.add(connection.line, index, request);
  table_.places[place].closes = true;
  note_request(table_.places[place], connection, request);
  refuse(table_.places.reply_to(place), refusal);
}

void Answers::hurry_last(const Connection& connection) {
  if (connection.line.count == 0) return;
  Place& last = table_.places[connection.line.last];
  if (!last.wants_hurry) return;
  last.wants_hurry = false;
  const ReplyTo place = table_.places.reply_to(connection.line.last);
  if (is_waiting(place)) connection.service.handler->hurry(place);
}

void Answers::abandon(Connection& connection) {
  while (connection.line.count > 0) {
    const ReplyTo first = table_.places.reply_to(connection.line.first);
    if (is_waiting(first)) connection.service.handler->abandon(first);
    const Place& place = table_.places[first.place];
    if (place.access != kNone && place.state != Place::State::sending)
      access_->end_unanswered(place.access, table_.now);
    table_.places.pop(connection.line);
  }
}

// ---- lines ----

// A place has its answer.
void Answers::write_line(uint32_t place) {
  const uint32_t index = table_.places[place].connection;
  if (table_.connections[index].line.first != place) return;
  render_line(index);
  sender_.add(index);
}

void Answers::render_line(uint32_t index) {
  Connection& connection = table_.connections[index];
  while (connection.line.count > 0 && !connection.is_sending) {
    const uint32_t first = connection.line.first;
    Place& place = table_.places[first];
    if (place.state == Place::State::waiting) {
      if (!place.wants_turn) return;
      place.wants_turn = false;
      return connection.service.handler->take_turn(table_.places.reply_to(first));
    }
    const size_t unsent = connection.output.bytes();
    const Rendered rendered = renderer_.render(connection, place);
    if (rendered == Rendered::nothing) return flow_.starve(index);
    count(connection, place, first);
    if (place.access != kNone) [[unlikely]]
      log_access(place, first, connection.output.bytes() - unsent, rendered);
    if (rendered == Rendered::whole) {
      table_.places.pop(connection.line);
      continue;
    }
    place.state = Place::State::sending;
    connection.is_sending = true;
    connection.body_sent = 0;
  }
}

void Answers::end_body(uint32_t index) {
  Connection& connection = table_.connections[index];
  CHECK(connection.is_sending);
  connection.is_sending = false;
  table_.places.pop(connection.line);
  render_line(index);
}

void Answers::count(const Connection& connection, const Place& place, uint32_t index) {
  if (!connection.service.is_public) return;
  const Verdict verdict = place.is_text ? table_.places.text(index).refusal : place.answer.verdict;
  const uint64_t order = place.is_text ? 0 : place.answer.order.id.value;
  PROBE(request_answered, table_.settings.shard, index, place.serial, verdict, order);
  metrics_.answers[static_cast<unsigned>(verdict)].add();
  if (verdict == Verdict::rate_limited && !place.is_text)
    metrics_.limited[static_cast<unsigned>(place.answer.limit)].add();
  if (!place.is_text && verdict == Verdict::created)
    metrics_.acked_ns.record(table_.now.boot_ns - place.answer.received_boot_ns);
}

void Answers::log_access(const Place& place, uint32_t index, size_t bytes, Rendered rendered) {
  const TextAnswer* const text = place.is_text ? &table_.places.text(index) : nullptr;
  if (rendered == Rendered::head) bytes += text->content().size();
  access_->end(place.access, place, text, bytes, table_.now);
}

}  // namespace stampede::shard
