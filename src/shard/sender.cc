#include "shard/sender.h"

#include "shard/deadlines.h"

namespace stampede::shard {
namespace {

constexpr size_t kWritesAtOnce = 64;

}  // namespace

Sender::Sender(ConnectionTable& table, net::Net& net, Metrics& metrics)
    : table_(table),
      net_(net),
      metrics_(metrics),
      dirty_(table.settings.connections_max),
      postponed_(table.settings.connections_max) {}

void Sender::begin_turn() {
  while (!postponed_.empty())
    if (const uint32_t index = postponed_.take(); table_.connections[index].is_open) add(index);
}

std::span<const Sender::Written> Sender::write_some() {
  writes_.clear();
  written_.clear();
  while (!dirty_.empty() && writes_.size() < kWritesAtOnce) {
    const uint32_t index = dirty_.take();
    const Connection& connection = table_.connections[index];
    if (!connection.is_open) continue;
    written_.push_back({.index = index, .sent = Sent::all});
    if (!connection.output.empty())
      writes_.push_back({.socket = connection.socket, .from = connection.output.front()});
  }
  net_.write_all(writes_);
  auto write = writes_.begin();
  for (Written& one : written_) {
    Connection& connection = table_.connections[one.index];
    if (connection.output.empty()) continue;
    one.sent = take_write(connection, write->io);
    if (one.sent == Sent::all) connection.output.consume(table_.book, write->io.bytes);
    ++write;
  }
  return written_;
}

Sender::Sent Sender::send(Connection& connection) {
  const Sent sent = send_output(connection);
  return sent == Sent::all && connection.is_sending ? send_body(connection) : sent;
}

Sender::Sent Sender::send_output(Connection& connection) {
  while (!connection.output.empty()) {
    size_t written = 0;
    if (const Sent sent = write(connection, connection.output.front(), written); sent != Sent::all)
      return sent;
    connection.output.consume(table_.book, written);
  }
  return Sent::all;
}

Sender::Sent Sender::send_body(Connection& connection) {
  const std::string_view body = table_.places.text(connection.line.first).content();
  while (connection.body_sent < body.size()) {
    if (body_budget_ == 0) return Sent::postponed;
    size_t written = 0;
    const std::string_view rest = body.substr(connection.body_sent, body_budget_);
    if (const Sent sent = write(connection, rest, written); sent != Sent::all) return sent;
    connection.body_sent += static_cast<uint32_t>(written);
    body_budget_ -= written;
  }
  return Sent::body;
}

Sender::Sent Sender::write(Connection& connection, std::span<const char> bytes, size_t& written) {
  const net::Io io = net_.write(connection.socket, bytes);
  written = io.bytes;
  return take_write(connection, io);
}

Sender::Sent Sender::take_write(Connection& connection, const net::Io& io) {
  if (io.status == net::Io::Status::closed) return Sent::gone;
  if (io.status == net::Io::Status::would_block) return Sent::blocked;
  metrics_.bytes_written.add(io.bytes);
  Deadlines::count_taken(connection, io.bytes);
  return Sent::all;
}

}  // namespace stampede::shard
