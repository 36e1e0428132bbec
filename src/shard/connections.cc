#include "shard/connections.h"

#include <algorithm>

namespace stampede::shard {
namespace {

using Waiting = Connection::Waiting;
using Sent = Sender::Sent;

// Then clients that take no answers are left behind.
constexpr int64_t kStopPatienceNs = 3 * kSecond;
constexpr int64_t kPassPatienceNs = 100 * kMillisecond;
constexpr int64_t kGiveBackEveryNs = kSecond;
constexpr int64_t kGiveBackAgainNs = 10 * kMillisecond;
constexpr unsigned kEvictionLooks = 4;
constexpr uint32_t kGiveBackChunks = 256;  // some 200 µs of a turn

}  // namespace

Connections::Connections(const ConnectionsSettings& settings, net::Net& net, Metrics& metrics,
                         Moment now)
    : net_(net),
      metrics_(metrics),
      table_(settings, now),
      deadlines_(table_),
      flow_(table_, net, metrics),
      sender_(table_, net, metrics),
      answers_(table_, net, metrics, flow_, sender_),
      roster_(table_, net, metrics, deadlines_, answers_),
      reader_(table_, net, metrics, flow_, deadlines_, sender_, answers_, roster_),
      listeners_(net, metrics),
      give_back_ns_(now.boot_ns + kGiveBackEveryNs) {}

void Connections::set_limits(const door::Limits& limits) {
  roster_.set_address_limit(limits.connections_address);
  net_.limit_connections(limits.connections);
}

// ---- newcomers ----

// kNone: it is gone already.
uint32_t Connections::let_in(const net::Accepted& accepted, const Service& service) {
  const bool needs_place = accepted.is_beyond || roster_.is_full();
  bool is_guest = false;
  if (needs_place && !make_room(accepted, service, is_guest)) {
    roster_.shed(accepted.socket);
    return kNone;
  }
  return roster_.open(accepted.socket, service, is_guest);
}

// For a newcomer that finds no place; false: there is none for it.
bool Connections::make_room(const net::Accepted& accepted, const Service& service, bool& is_guest) {
  if (evict_regular()) return true;
  is_guest = service.is_public;
  const bool is_let_in = is_guest && accepted.has_spare && roster_.has_room_for_guest();
  return is_let_in || evict_one(IdleKind::guest);
}

bool Connections::evict_regular() {
  return evict_one(IdleKind::usual) || evict_one(IdleKind::second) || evict_one(IdleKind::first);
}

// Of this shard's: the kernel deals newcomers and the idle to all shards alike. What a client has sent by now is read before
// it is closed, for it may be a request; who turns out to have asked stays, and the next one is looked at. So does whoever
// may have asked, because what he has sent waits for a turn, a place or a buffer.
bool Connections::evict_one(IdleKind kind) {
  for (unsigned looks = 0; looks < kEvictionLooks; ++looks) {
    const uint32_t index = roster_.first_idle(kind);
    if (index == kNone) return false;
    reader_.look_at(index);
    const Connection& connection = table_.connections[index];
    if (!connection.is_open) return true;
    if (roster_.first_idle(kind) != index) continue;
    if (connection.parsing != Connection::Parsing::going || connection.is_starving) {
      roster_.renew_idle(index);
      continue;
    }
    roster_.evict(index);
    return true;
  }
  return false;
}

void Connections::adopt(const net::PassedConnection& passed, const Service& service) {
  const uint32_t index = let_in(net_.adopt(passed.socket, !service.is_public), service);
  if (index == kNone) return;
  if (passed.input.empty())
    deadlines_.wait_for(index, Waiting::idle);
  else
    reader_.adopt(index, passed.input);
}

// ---- the turn ----

void Connections::pass_time(Moment now) {
  table_.now = now;
  flow_.begin_turn();
  answers_.begin_turn();
  uint32_t budget = bounds::expiries_per_turn_max;
  for (uint32_t index; (index = deadlines_.next_late(budget)) != kNone;) on_late(index);
  listeners_.pass_time(now);
  if (table_.is_stopping) stop_some();
  flow_.call_back();
  flow_.take_resumed([this](uint32_t index) { reader_.go_on(index); });
  flow_.feed_starving([this](uint32_t index) {
    answers_.render_line(index);
    sender_.add(index);
  });
  sender_.begin_turn();
  give_back_buffers();
}

void Connections::on_late(uint32_t index) {
  Connection& connection = table_.connections[index];
  metrics_.connections_timed_out.add();
  if (!connection.has_half_a_request()) return roster_.close(index);
  connection.input.clear(table_.buffers());
  const http::Request half = {.method = connection.is_half_head ? http::Method::head
                                                                : http::Method::other};
  roster_.refuse(index, half, {.verdict = Verdict::request_timeout});
}

// After a flood the memory of its buffers goes back to the machine.
void Connections::give_back_buffers() {
  const int64_t now_ns = table_.now.boot_ns;
  if (now_ns < give_back_ns_) return;
  const bool has_more = table_.buffers().give_back_idle(kGiveBackChunks);
  give_back_ns_ = now_ns + (has_more ? kGiveBackAgainNs : kGiveBackEveryNs);
}

void Connections::on_event(const net::Event& event, Moment now) {
  table_.now = now;
  if (Listeners::is_mine(event.token)) {
    return listeners_.on_event(event, now,
                               [this](const net::Accepted& accepted, const Service& service) {
                                 let_in(accepted, service);
                               });
  }
  // An event of a connection that was closed, or whose cell has a new owner, earlier in this turn.
  const uint32_t index = roster_.find(event.token);
  if (index == kNone) return;
  if (event.broken && !event.readable) return roster_.close(index);
  if (event.writable) sender_.add(index);
  if (event.readable || event.half_closed) reader_.add(index);
}

bool Connections::has_work() const {
  return sender_.has_work() || flow_.has_work() || (table_.is_stopping && !is_stop_done());
}

int64_t Connections::quiet_until_ns() const {
  return std::min({deadlines_.quiet_until_ns(), listeners_.quiet_until_ns(), stop_until_ns_,
                   pass_until_ns_, give_back_ns_});
}

// ---- the end of a turn ----

void Connections::flush() {
  sender_.begin_flush();
  while (sender_.is_dirty())
    for (const Sender::Written& one : sender_.write_some()) follow_up(one.index, one.sent);
}

// What a first write has left, if that went well, and what follows from it.
void Connections::follow_up(uint32_t index, Sent sent) {
  if (sent == Sent::all) sent = send(index);
  if (sent == Sent::gone) return roster_.close(index);
  if (sent == Sent::postponed) sender_.postpone(index);
  after_write(index);
}

// Output, and then at most one large body and the small answers behind it.
Sent Connections::send(uint32_t index) {
  Connection& connection = table_.connections[index];
  Sent sent = sender_.send(connection);
  if (sent != Sent::body) return sent;
  answers_.end_body(index);
  sent = sender_.send_output(connection);
  return sent == Sent::all && connection.is_sending ? Sent::postponed : sent;
}

void Connections::after_write(uint32_t index) {
  Connection& connection = table_.connections[index];
  flow_.look_again(index);
  if (connection.has_unsent()) {
    deadlines_.wait_for(index, Waiting::write);
  } else if (connection.line.count == 0) {
    roster_.update_idle(index);
    return after_last_answer(index);
  } else if (connection.waiting == Waiting::write) {
    Deadlines::wait_for_answer(connection);  // it has taken all that there was
  }
  flow_.update_interest(index);
}

// Nothing is owed: the end, or the wait for the next request or for the rest of one.
void Connections::after_last_answer(uint32_t index) {
  Connection& connection = table_.connections[index];
  if (connection.is_closing) {
    if (connection.waiting == Waiting::linger) return;
    if (connection.input_ended || !(connection.must_linger || !connection.input.empty()))
      return roster_.close(index);
    // RFC 9112 9.6: closing with unread input would reset the connection under the answer.
    net_.shut_down_write(connection.socket);
    deadlines_.wait_for(index, Waiting::linger);
  } else if (connection.input.empty()) {
    if (connection.waiting != Waiting::idle && connection.waiting != Waiting::head)
      deadlines_.wait_for(index, Waiting::idle);
  } else if (!table_.passes_on &&
             (connection.waiting == Waiting::answer || connection.waiting == Waiting::write)) {
    // Half a request was kept while answers were owed: now its own deadline counts, and perhaps "100 Continue" is due.
    flow_.resume(index);
  }
  flow_.update_interest(index);
}

// ---- the end ----

void Connections::close_all() {
  for (uint32_t index = 0; index < table_.connections.touched(); ++index)
    if (table_.connections[index].is_open) roster_.close(index);
}

void Connections::begin_stop(Moment now, bool passes_on) {
  CHECK(!table_.is_stopping);
  table_.now = now;
  table_.is_stopping = true;
  table_.passes_on = passes_on;
  stop_until_ns_ = now.boot_ns + kStopPatienceNs;
  if (passes_on) pass_until_ns_ = now.boot_ns + kPassPatienceNs;
  listeners_.close_all();
}

bool Connections::is_drained() const {
  return table_.is_stopping && is_stop_done() && table_.places.used() == 0 &&
         table_.book.unsent() == 0;
}

// Those that owe answers, and with `with_waiting` also those whose answers are not there yet.
void Connections::leave_behind(bool with_waiting) {
  for (uint32_t index = 0; index < table_.connections.touched(); ++index) {
    const Connection& connection = table_.connections[index];
    if (!connection.is_open) continue;
    // One that finds no buffer to be read into is owed nothing.
    if (connection.has_output() || (with_waiting && connection.line.count > 0))
      roster_.close(index);
  }
}

void Connections::pass_on(std::vector<net::PassedConnection>& sockets) {
  leave_behind(true);
  for (uint32_t index = 0; index < table_.connections.touched(); ++index) {
    const Connection& connection = table_.connections[index];
    if (!connection.is_open) continue;
    if (connection.is_closing) {
      roster_.close(index);
      continue;
    }
    const std::span<const char> input = connection.input.kept();
    sockets.push_back({.socket = connection.socket,
                       .is_public = connection.service.is_public,
                       .input = std::string(input.begin(), input.end())});
    roster_.hand_over(index);
  }
}

// No more is taken of anybody, some connections a turn: a hundred thousand reads in one would stand still for 0.1 s.
void Connections::stop_some() {
  const int64_t now_ns = table_.now.boot_ns;
  if (now_ns >= pass_until_ns_) {
    pass_until_ns_ = INT64_MAX;
    leave_behind(false);
  }
  if (now_ns >= stop_until_ns_) {
    stop_until_ns_ = INT64_MAX;
    stop_cursor_ = table_.connections.touched();
    return table_.passes_on ? leave_behind(true) : close_all();
  }
  for (uint32_t budget = bounds::events_per_turn_max; budget > 0 && !is_stop_done();
       --budget, ++stop_cursor_) {
    const Connection& connection = table_.connections[stop_cursor_];
    if (!connection.is_open) continue;
    if (!table_.passes_on) {
      reader_.take_last(stop_cursor_);
      continue;
    }
    answers_.hurry_last(connection);
    flow_.update_interest(stop_cursor_);
  }
}

}  // namespace stampede::shard
