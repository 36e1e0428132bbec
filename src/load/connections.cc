#include "load/connections.h"

#include <algorithm>
#include <cerrno>
#include <string_view>

namespace stampede::load {
namespace {

constexpr size_t kReadBytes = 64 * 1024;

std::vector<Connection> make_connections(uint32_t count, uint32_t pipeline) {
  std::vector<Connection> connections;
  connections.reserve(count);
  for (uint32_t i = 0; i < count; ++i) connections.emplace_back(pipeline);
  return connections;
}

}  // namespace

Connections::Connections(const Plan& plan, uint32_t count, Clock& clock, AnswerHandler& handler)
    : plan_(plan),
      clock_(clock),
      handler_(handler),
      connections_(make_connections(count, plan.pipeline)),
      with_room_(count),
      read_buffer_(new char[kReadBytes]) {
  to_flush_.reserve(count);
}

Connections::~Connections() {
  for (Connection& connection : connections_)
    if (connection.state != Connection::State::closed) net_.close(connection.socket);
}

void Connections::tend(int64_t now_ns) {
  if (now_ns < next_tend_ns_) return;
  next_tend_ns_ = now_ns + kTendInterval;
  wanted_ = 0;
  for (Connection& connection : connections_) {
    bool is_closed = connection.state == Connection::State::closed;
    if (is_closed && now_ns >= connection.reopen_at_ns && connecting_ < kConnectingMax)
      open(connection, now_ns);
    const bool is_open = connection.state == Connection::State::open;
    wanted_ += is_open && is_wanted(connection, now_ns);
    const bool is_owed = is_open && !connection.sent.empty();
    if (is_owed && now_ns - connection.answered_at_ns > plan_.answer_timeout_ns)
      lose(connection, Failure::answer_timeout, now_ns);
  }
}

void Connections::open(Connection& connection, int64_t now_ns) {
  connection.socket = begin_connect(plan_.server);
  if (connection.socket == net::kNoSocket) return fail_connect(connection, errno, now_ns);
  connection.state = Connection::State::connecting;
  ++connecting_;
  if (!net_.watch(connection.socket, token_of(connection), net::Interest::write))
    fail_connect(connection, ENOSPC, now_ns);
}

void Connections::finish_connect(Connection& connection, int64_t now_ns) {
  if (int cause = connect_result(connection.socket)) return fail_connect(connection, cause, now_ns);
  connection.state = Connection::State::open;
  connection.opened_at_ns = opened_at_ns_ = now_ns;
  connection.is_answered = false;
  connection.last_user = UINT64_MAX;
  --connecting_;
  ++open_;
  next_tend_ns_ = 0;  // another may connect now
  net_.rewatch(connection.socket, token_of(connection), net::Interest::read);
  list(connection);
}

void Connections::fail_connect(Connection& connection, int cause, int64_t now_ns) {
  connect_errno_ = cause;
  handler_.on_failure(Failure::connect_failed);
  close(connection, now_ns);
  back_off(connection, now_ns);
}

void Connections::back_off(Connection& connection, int64_t now_ns) {
  connection.reopen_wait_ns =
      std::clamp(2 * connection.reopen_wait_ns, kReopenWaitMin, kReopenWaitMax);
  connection.reopen_at_ns = now_ns + connection.reopen_wait_ns;
}

void Connections::close(Connection& connection, int64_t now_ns) {
  if (connection.socket != net::kNoSocket) net_.close(connection.socket);
  if (connection.state == Connection::State::connecting) --connecting_;
  if (connection.state == Connection::State::open) --open_;
  connection.state = Connection::State::closed;
  connection.socket = net::kNoSocket;
  ++connection.generation;
  connection.waits_to_write = false;
  connection.output.clear();
  connection.written = 0;
  connection.partial.clear();
  connection.reopen_at_ns = now_ns;
}

void Connections::lose(Connection& connection, Failure failure, int64_t now_ns) {
  // What was given up here was not turned away there.
  const bool was_wanted = failure == Failure::answer_timeout || is_wanted(connection, now_ns);
  if (!connection.sent.empty())
    handler_.on_failure(failure);
  else if (!was_wanted)
    handler_.on_failure(Failure::connect_failed);
  // Otherwise no answer was due, and a server may close such a connection; that is no failure.
  close(connection, now_ns);
  if (was_wanted) {
    connection.reopen_wait_ns = 0;
    none_open_since_ns_ = now_ns;
    next_tend_ns_ = 0;  // open it again at once
  } else {
    connect_errno_ = ECONNRESET;
    back_off(connection, now_ns);
  }
  for (; !connection.sent.empty(); connection.sent.pop()) {
    --in_flight_;
    handler_.on_lost(connection.sent.front(), now_ns);
  }
}

void Connections::poll(int64_t wait_ns) {
  for (const net::Event& event : net_.poll(wait_ns)) on_event(event);
}

void Connections::on_event(const net::Event& event) {
  Connection& connection = connections_[static_cast<uint32_t>(event.token)];
  if (static_cast<uint32_t>(event.token >> 32) != connection.generation) return;
  if (connection.state == Connection::State::connecting)
    return finish_connect(connection, clock_.now().boot_ns);
  if (event.readable) return receive(connection);  // level-triggered: the rest is reported again
  if (event.broken) return lose(connection, Failure::connection_lost, clock_.now().boot_ns);
  if (event.writable) write(connection, clock_.now().boot_ns);
}

void Connections::receive(Connection& connection) {
  net::Io io = net_.read(connection.socket, {read_buffer_.get(), kReadBytes});
  if (io.status == net::Io::Status::would_block) return;
  int64_t now_ns = clock_.now().boot_ns;
  if (io.status == net::Io::Status::closed)
    return lose(connection, Failure::connection_lost, now_ns);

  std::string_view bytes(read_buffer_.get(), io.bytes);
  uint32_t generation = connection.generation;
  if (connection.partial.empty()) {
    size_t taken = take_answers(connection, bytes, now_ns);
    if (connection.generation == generation) connection.partial = bytes.substr(taken);
  } else {
    std::string joined = std::move(connection.partial.append(bytes));
    size_t taken = take_answers(connection, joined, now_ns);
    if (connection.generation == generation) connection.partial = std::move(joined.erase(0, taken));
  }
  if (connection.generation == generation) list(connection);
}

size_t Connections::take_answers(Connection& connection, std::string_view bytes, int64_t now_ns) {
  size_t taken = 0;
  while (taken < bytes.size()) {
    Scan scan = scan_answer(bytes.substr(taken));
    if (scan.result == Scan::Result::need_more) break;
    if (scan.result == Scan::Result::malformed || connection.sent.empty()) {
      lose(connection, Failure::malformed_answer, now_ns);
      break;
    }
    Attempt attempt = connection.sent.front();
    connection.sent.pop();
    --in_flight_;
    connection.answered_at_ns = now_ns;
    connection.is_answered = true;
    taken += scan.bytes;
    handler_.on_answer(attempt, scan.reply, now_ns);
    if (!scan.reply.closes) continue;
    lose(connection, Failure::connection_lost, now_ns);
    break;
  }
  return taken;
}

void Connections::list(Connection& connection) {
  if (connection.is_listed || !connection.has_room()) return;
  connection.is_listed = true;
  with_room_.push() = index_of(connection);
}

Connection* Connections::next_with_room(const Attempt& attempt) {
  for (uint32_t tries = with_room_.size(); tries > 0; --tries) {
    Connection& connection = connections_[with_room_.front()];
    with_room_.pop();
    connection.is_listed = false;
    if (!connection.has_room()) continue;
    bool holds_copy = plan_.copies > 1 && !only_looks(attempt.step) &&
                      connection.last_user == attempt.user && !connection.sent.empty();
    if (!holds_copy) return &connection;
    list(connection);
  }
  return nullptr;
}

void Connections::add_sent(Connection& connection, const Attempt& attempt, int64_t now_ns) {
  if (connection.sent.empty()) connection.answered_at_ns = now_ns;
  connection.sent.push() = attempt;
  if (!only_looks(attempt.step)) connection.last_user = attempt.user;
  ++in_flight_;
  list(connection);
  if (connection.has_output) return;
  connection.has_output = true;
  to_flush_.push_back(index_of(connection));
}

void Connections::flush() {
  if (to_flush_.empty()) return;
  int64_t now_ns = clock_.now().boot_ns;
  for (uint32_t index : to_flush_) {
    Connection& connection = connections_[index];
    connection.has_output = false;
    if (connection.state == Connection::State::open && !connection.waits_to_write)
      write(connection, now_ns);
  }
  to_flush_.clear();
}

void Connections::write(Connection& connection, int64_t now_ns) {
  std::string_view rest = std::string_view(connection.output).substr(connection.written);
  net::Io io = net_.write(connection.socket, rest);
  if (io.status == net::Io::Status::closed)
    return lose(connection, Failure::connection_lost, now_ns);
  connection.written += io.bytes;
  bool is_done = connection.written == connection.output.size();
  if (is_done) {
    connection.output.clear();
    connection.written = 0;
  }
  if (connection.waits_to_write == !is_done) return;
  connection.waits_to_write = !is_done;
  net_.rewatch(connection.socket, token_of(connection),
               is_done ? net::Interest::read : net::Interest::read_write);
}

uint64_t Connections::token_of(const Connection& connection) const {
  return uint64_t{connection.generation} << 32 | index_of(connection);
}

}  // namespace stampede::load
