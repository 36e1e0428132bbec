#include "shard/request_reader.h"

#include <algorithm>

namespace stampede::shard {
namespace {

using Waiting = Connection::Waiting;

// One read; what of it cannot be taken yet fits into a large chunk.
constexpr size_t kReadBytes = 32 * 1024;
// Of one connection when many are read together: what of it cannot be taken yet fits into a small chunk.
constexpr size_t kReadTogetherBytes = net::chunk_capacity(net::ChunkSize::small);
constexpr size_t kReadsAtOnce = 64;  // more share little more, and their bytes leave the cache
static_assert(kReadBytes <= net::chunk_capacity(net::ChunkSize::large));

}  // namespace

RequestReader::RequestReader(ConnectionTable& table, net::Net& net, Metrics& metrics,
                             FlowControl& flow, Deadlines& deadlines, Sender& sender,
                             Answers& answers, Roster& roster)
    : table_(table),
      net_(net),
      metrics_(metrics),
      flow_(flow),
      deadlines_(deadlines),
      sender_(sender),
      answers_(answers),
      roster_(roster),
      ready_(table.settings.connections_max),
      read_scratch_(std::max(kReadBytes, kReadsAtOnce * kReadTogetherBytes)),
      body_scratch_(bounds::body_bytes_max) {}

// ---- who is read ----

// Those without input of an earlier read are read together.
void RequestReader::read() {
  while (!ready_.empty()) {
    reads_.clear();
    reading_.clear();
    // What cannot be taken at once needs a small chunk each.
    const size_t most = std::min(kReadsAtOnce, table_.buffers().lendable(net::ChunkSize::small));
    while (!ready_.empty() && (reads_.size() < most || most == 0)) {
      const uint32_t index = ready_.take();
      Connection& connection = table_.connections[index];
      if (!connection.is_open) continue;
      if (most == 0 || !connection.input.empty()) {
        read_one(index);
      } else if (may_read(index)) {
        const std::span into = std::span(read_scratch_).subspan(reads_.size() * kReadTogetherBytes);
        reads_.push_back({.socket = connection.socket, .into = into.first(kReadTogetherBytes)});
        reading_.push_back(index);
      }
    }
    net_.read_all(reads_);
    for (size_t i = 0; i < reads_.size(); ++i) take_read(reading_[i], reads_[i].into, reads_[i].io);
  }
}

void RequestReader::look_at(uint32_t index) {
  if (may_receive(index)) receive(index);
}

void RequestReader::go_on(uint32_t index) {
  Connection& connection = table_.connections[index];
  if (!connection.is_closing && !connection.input.empty())
    take_input(index, connection.input.kept());
  else if (!connection.is_closing)
    read_one(index);
  if (connection.is_open) sender_.add(index);
}

void RequestReader::adopt(uint32_t index, std::span<const char> bytes) {
  if (keep(index, bytes)) flow_.wait_for_turn(index);
}

// A request that has arrived is answered: with the truth that the server stops. First those that had been read.
void RequestReader::take_last(uint32_t index) {
  Connection& connection = table_.connections[index];
  if (!connection.input.empty()) take_input(index, connection.input.kept());
  if (connection.is_open) read_one(index);
  if (!connection.is_open) return;
  answers_.hurry_last(connection);
  connection.is_closing = true;
  sender_.add(index);
}

// It has room for what it sends. When it has not, what follows from that has been done.
bool RequestReader::may_receive(uint32_t index) {
  Connection& connection = table_.connections[index];
  if (connection.waiting == Waiting::linger) {
    read_lingering(index);
    return false;
  }
  if (!flow_.has_room(connection)) {
    stall(index);
    flow_.update_interest(index);
    return false;
  }
  // Or it has its turn.
  return connection.parsing != Connection::Parsing::resumed || table_.is_stopping;
}

// Requests of it can be taken now, too.
bool RequestReader::may_read(uint32_t index) {
  if (!may_receive(index)) return false;
  if (flow_.may_decide(table_.connections[index]) && !table_.places.is_full()) return true;
  flow_.wait_for_turn(index);
  return false;
}

void RequestReader::stall(uint32_t index) {
  const Connection& connection = table_.connections[index];
  if (connection.is_closing) return;
  answers_.hurry_last(connection);
  flow_.stall(index);
}

// ---- bytes ----

void RequestReader::read_one(uint32_t index) {
  if (may_read(index)) receive(index);
}

void RequestReader::receive(uint32_t index) {
  Connection& connection = table_.connections[index];
  const std::span<char> into = room(connection);
  if (into.empty()) {
    flow_.starve(index);
    return sender_.add(index);
  }
  take_read(index, into, net_.read(connection.socket, into));
}

// Behind what is kept; or into the scratch, no more than could be kept. Empty when there is no buffer.
std::span<char> RequestReader::room(Connection& connection) {
  if (!connection.input.empty()) return connection.input.room(table_.buffers());
  for (const net::ChunkSize size :
       {net::ChunkSize::large, net::ChunkSize::medium, net::ChunkSize::small})
    if (table_.buffers().can_lend(size))
      return std::span(read_scratch_).first(std::min(kReadBytes, net::chunk_capacity(size)));
  return {};
}

// What a read has brought: behind the kept input, or fresh.
void RequestReader::take_read(uint32_t index, std::span<char> into, const net::Io& io) {
  Connection& connection = table_.connections[index];
  if (io.status == net::Io::Status::would_block) return;
  if (io.status == net::Io::Status::closed) return end_input(index);
  metrics_.bytes_read.add(io.bytes);
  const bool is_kept = !connection.input.empty();
  if (is_kept) connection.input.extend(io.bytes);
  if (flow_.may_decide(connection))
    take_input(index, is_kept ? connection.input.kept() : into.first(io.bytes));
  else if (is_kept || keep(index, into.first(io.bytes)))  // others have used up the turn
    flow_.wait_for_turn(index);
}

// Half-closed: what was asked completely is still answered; half a request is nothing.
void RequestReader::end_input(uint32_t index) {
  Connection& connection = table_.connections[index];
  connection.input_ended = true;
  connection.is_closing = true;
  connection.input.clear(table_.buffers());
  sender_.add(index);
}

void RequestReader::read_lingering(uint32_t index) {
  Connection& connection = table_.connections[index];
  const net::Io io = net_.read(connection.socket, read_scratch_);
  connection.linger_bytes += static_cast<uint32_t>(io.bytes);
  if (io.status == net::Io::Status::closed || connection.linger_bytes > bounds::linger_bytes_max)
    roster_.close(index);
}

// False: the machine has no more memory, and the connection is gone.
bool RequestReader::keep(uint32_t index, std::span<const char> bytes) {
  if (table_.connections[index].input.append(table_.buffers(), bytes)) return true;
  metrics_.connections_shed.add();
  roster_.close(index);
  return false;
}

// ---- requests ----

// Takes what can be taken of `bytes`, which are the kept input or fresh from the socket, and keeps the rest.
void RequestReader::take_input(uint32_t index, std::span<const char> bytes) {
  Connection& connection = table_.connections[index];
  const bool is_kept = !connection.input.empty();
  const size_t used = parse_some(index, bytes);
  if (is_kept) {
    connection.input.consume(table_.buffers(), used);
  } else if (used < bytes.size() && !keep(index, bytes.subspan(used))) {
    return;
  }
  if (connection.input.empty() && !connection.owes_answer())
    deadlines_.wait_for(index, Waiting::idle);
  sender_.add(index);
}

size_t RequestReader::parse_some(uint32_t index, std::span<const char> bytes) {
  Connection& connection = table_.connections[index];
  size_t used = 0;
  uint32_t budget = flow_.read_budget();
  while (used < bytes.size() && flow_.has_room(connection) && !table_.places.is_full()) {
    if (budget-- == 0) {
      flow_.resume(index);
      return used;
    }
    const http::Parsed parsed = http::parse(bytes.subspan(used), body_scratch_);
    if (parsed.status == http::ParseStatus::bad) {
      roster_.refuse(index, parsed.request, {.verdict = parsed.refusal, .reason = parsed.reason});
      return bytes.size();
    }
    if (parsed.status == http::ParseStatus::need_more) {
      need_more(index, parsed);
      return used;
    }
    used += parsed.consumed;
    connection.continue_sent = false;
    dispatch(index, parsed.request);
  }
  // A full line: go on when answers have left.
  if (used < bytes.size()) stall(index);
  return used;
}

void RequestReader::need_more(uint32_t index, const http::Parsed& parsed) {
  Connection& connection = table_.connections[index];
  connection.is_half_head = parsed.request.method == http::Method::head;
  // What is owed comes first: "100 Continue" stands in the order of the answers, and only behind them the client is waited for. It is
  // looked at again when the last has left.
  if (connection.owes_answer()) return;
  if (parsed.wants_continue && !connection.continue_sent)
    connection.continue_sent = connection.output.append(table_.book, http::kContinue);
  deadlines_.wait_for(index, parsed.is_head_complete ? Waiting::body : Waiting::head);
}

void RequestReader::dispatch(uint32_t index, const http::Request& request) {
  Connection& connection = table_.connections[index];
  ++connection.requests;
  answers_.hurry_last(connection);
  const ReplyTo place = answers_.begin(index, connection, request);
  roster_.update_idle(index);
  Deadlines::wait_for_answer(connection);
  if (!request.keep_alive || connection.is_guest ||
      connection.requests == bounds::requests_per_connection_max) {
    table_.places[place.place].closes = true;
    connection.is_closing = true;
    connection.must_linger = connection.must_linger || connection.is_guest;
  }
  flow_.spend(connection);
  connection.service.handler->handle(request, place);
}

}  // namespace stampede::shard
