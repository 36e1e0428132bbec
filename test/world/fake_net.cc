#include "fake_net.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "bounds.h"

namespace stampede::world {

using net::Accepted;
using net::Interest;
using net::Io;
using net::Socket;

namespace {

constexpr int64_t kGatheringNs = 20 * kMillisecond;

bool reads(Interest interest) {
  return interest == Interest::read || interest == Interest::read_write;
}

bool writes(Interest interest) {
  return interest == Interest::write || interest == Interest::read_write;
}

}  // namespace

// ---- the client ----

void FakeClient::lose_everything() {
  was_reset_ = true;
  outbound_.clear();
  inbound_.clear();
}

void FakeClient::send(std::string_view bytes) {
  CHECK(!sent_last_);
  if (was_reset_) return;
  if (server_closed_) return lose_everything();
  if (!bytes.empty()) outbound_.emplace_back(bytes);
}

void FakeClient::send_pieces(std::string_view bytes, size_t piece_bytes) {
  for (; !bytes.empty(); bytes.remove_prefix(std::min(piece_bytes, bytes.size())))
    send(bytes.substr(0, piece_bytes));
}

std::string FakeClient::read(size_t bytes_max) {
  std::string bytes = inbound_.substr(0, bytes_max);
  inbound_.erase(0, bytes.size());
  return bytes;
}

void FakeClient::half_close() {
  sent_last_ = true;
}

void FakeClient::close() {
  if (!inbound_.empty()) return reset();
  sent_last_ = is_closed_ = true;
}

void FakeClient::reset() {
  lose_everything();
  sent_last_ = is_closed_ = true;
}

size_t FakeClient::unread_by_server() const {
  size_t bytes = 0;
  for (const std::string& piece : outbound_) bytes += piece.size();
  return bytes;
}

// ---- the world's side ----

Socket FakeNet::add_end(End end) {
  ends_.push_back(std::move(end));
  return kFirstSocket + static_cast<Socket>(ends_.size() - 1);
}

Socket FakeNet::listen() {
  return add_end({.kind = End::Kind::listener});
}

FakeClient& FakeNet::connect(Socket listener) {
  FakeClient& client = *clients_.emplace_back(std::make_unique<FakeClient>());
  End& end = ends_.at(static_cast<size_t>(listener - kFirstSocket));
  CHECK(end.kind == End::Kind::listener);
  if (end.is_open)
    end.waiting.push_back(&client);
  else
    client.lose_everything();
  return client;
}

void FakeNet::script_accepts(std::initializer_list<Accepted::Status> outcomes) {
  script_.insert(script_.end(), outcomes);
}

size_t FakeNet::open_sockets() const {
  return static_cast<size_t>(std::count_if(ends_.begin(), ends_.end(), [](const End& end) {
    return end.kind == End::Kind::connection && end.is_open;
  }));
}

void FakeNet::die(bool is_silent) {
  for (End& end : ends_) end.is_open = false;
  for (const auto& client : clients_) {
    client->server_closed_ = true;
    if (!is_silent) client->lose_everything();
  }
}

bool FakeNet::is_listening(Socket listener) const {
  return ends_.at(static_cast<size_t>(listener - kFirstSocket)).is_open;
}

// ---- events ----

FakeNet::End& FakeNet::open_end(Socket socket, End::Kind kind) {
  CHECK(socket >= kFirstSocket);
  End& end = ends_.at(static_cast<size_t>(socket - kFirstSocket));
  CHECK(end.is_open);  // a closed descriptor was used: EBADF, or somebody else's socket
  CHECK(end.kind == kind);
  return end;
}

// What epoll says of a socket with its interest. EPOLLRDHUP comes for readers only, see epoll_net.cc.
bool FakeNet::is_ready(const End& end, net::Event& event) const {
  event = {.token = end.token};
  if (end.kind == End::Kind::listener) {
    event.readable = reads(end.interest) && (!end.waiting.empty() || !script_.empty());
    return event.readable;
  }
  const FakeClient& client = *end.client;
  event.broken = client.was_reset_ || (client.sent_last_ && client.server_wrote_last_);
  event.half_closed = reads(end.interest) && (client.sent_last_ || client.was_reset_);
  event.readable = reads(end.interest) && (!client.outbound_.empty() || event.half_closed);
  event.writable =
      writes(end.interest) && (client.was_reset_ || client.inbound_.size() < client.window_);
  return event.readable || event.writable || event.half_closed || event.broken;
}

std::span<const net::Event> FakeNet::poll(int64_t wait_ns) {
  ++counters_.polls;
  last_wait_ns_ = wait_ns == 0 ? std::exchange(waited_for_ns_, 0) : wait_ns;
  polls_without_rest_ += wait_ns == 0;
  events_.clear();
  add_kernel_events();
  add_events_of_ends();
  if (!ends_.empty()) first_of_poll_ = (first_of_poll_ + 1) % ends_.size();
  if (events_.empty() && clock_ != nullptr && wait_ns != 0)
    clock_->advance(wait_ns < 0 ? kSecond : wait_ns);
  counters_.events += events_.size();
  return events_;
}

// Those of the first rank first. Each end is looked at once.
void FakeNet::add_events_of_ends() {
  for (std::vector<net::Event>& events : of_rank_) events.clear();
  for (size_t i = 0; i < ends_.size(); ++i) {
    const size_t at = first_of_poll_ + i;
    const End& end = ends_[at < ends_.size() ? at : at - ends_.size()];
    net::Event event;
    if (end.is_open && end.is_watched && is_ready(end, event))
      of_rank_[static_cast<size_t>(end.rank)].push_back(event);
  }
  for (const net::Rank rank : {net::Rank::first, net::Rank::second, net::Rank::usual})
    for (const net::Event& event : of_rank_[static_cast<size_t>(rank)])
      if (events_.size() < bounds::events_per_turn_max) events_.push_back(event);
}

// One question about all of them.
void FakeNet::add_kernel_events() {
  looks_.clear();
  for (const KernelWatch& watched : kernel_watches_)
    looks_.push_back({.fd = watched.interest == Interest::none ? -1 : watched.socket,
                      .events = static_cast<short>((reads(watched.interest) ? POLLIN : 0) |
                                                   (writes(watched.interest) ? POLLOUT : 0)),
                      .revents = 0});
  if (looks_.empty() || ::poll(looks_.data(), looks_.size(), 0) <= 0) return;
  for (size_t i = 0; i < looks_.size(); ++i)
    if (const short found = looks_[i].revents; found != 0)
      events_.push_back({.token = kernel_watches_[i].token,
                         .readable = (found & POLLIN) != 0,
                         .writable = (found & POLLOUT) != 0,
                         .broken = (found & (POLLERR | POLLHUP)) != 0});
}

void FakeNet::wait_for(std::span<const Socket> sockets, int64_t wait_ns) {
  looks_.clear();
  for (const Socket socket : sockets)
    looks_.push_back({.fd = socket, .events = POLLIN, .revents = 0});
  if (::poll(looks_.data(), looks_.size(), 0) > 0) return;
  // Whatever its owner waits for here comes as an event too; asking again every moment would find nothing else.
  waited_for_ns_ = std::max(wait_ns, kGatheringNs);
  if (clock_ != nullptr) clock_->advance(wait_ns);
}

bool FakeNet::watch(Socket socket, uint64_t token, Interest interest) {
  if (watches_ == watches_max_) return false;
  if (socket < kFirstSocket) {
    kernel_watches_.push_back({.socket = socket, .token = token, .interest = interest});
  } else {
    End& end = ends_.at(static_cast<size_t>(socket - kFirstSocket));
    CHECK(end.is_open);
    CHECK(!end.is_watched);
    end.is_watched = true;
    end.token = token;
    end.interest = interest;
  }
  ++watches_;
  return true;
}

void FakeNet::rewatch(Socket socket, uint64_t token, Interest interest) {
  if (socket < kFirstSocket) {
    const auto found = std::find_if(kernel_watches_.begin(), kernel_watches_.end(),
                                    [&](const KernelWatch& one) { return one.socket == socket; });
    CHECK(found != kernel_watches_.end());
    *found = {.socket = socket, .token = token, .interest = interest};
    return;
  }
  End& end = ends_.at(static_cast<size_t>(socket - kFirstSocket));
  CHECK(end.is_open);
  CHECK(end.is_watched);
  end.token = token;
  end.interest = interest;
}

void FakeNet::unwatch(Socket socket) {
  CHECK(watches_ > 0);
  --watches_;
  if (socket < kFirstSocket) {
    CHECK(std::erase_if(kernel_watches_,
                        [&](const KernelWatch& one) { return one.socket == socket; }) == 1);
    return;
  }
  End& end = ends_.at(static_cast<size_t>(socket - kFirstSocket));
  CHECK(end.is_open);
  CHECK(end.is_watched);
  end.is_watched = false;
}

void FakeNet::set_rank(Socket socket, uint64_t token, Interest interest, net::Rank rank) {
  rewatch(socket, token, interest);
  ends_.at(static_cast<size_t>(socket - kFirstSocket)).rank = rank;
}

// ---- sockets ----

Accepted FakeNet::accept(Socket listener) {
  End& end = open_end(listener, End::Kind::listener);
  Accepted accepted;
  if (!script_.empty()) {
    accepted.status = script_.front();
    script_.pop_front();
    CHECK(accepted.status != Accepted::Status::accepted);
  } else if (!end.waiting.empty()) {
    accepted = admit(end);
  }
  counters_.accepted += accepted.status == Accepted::Status::accepted;
  counters_.accepts_aborted += accepted.status == Accepted::Status::aborted;
  counters_.accepts_shed += accepted.status == Accepted::Status::shed;
  counters_.accepts_exhausted += accepted.status == Accepted::Status::exhausted;
  return accepted;
}

// It is a socket of this net already: passed on within the world.
Accepted FakeNet::adopt(Socket socket, bool) {
  open_end(socket, End::Kind::connection);
  return {Accepted::Status::accepted, socket, open_sockets() > places_max_, true};
}

Accepted FakeNet::admit(End& listener) {
  const bool is_full = open_sockets() >= descriptors_max_;
  if (is_full && !has_reserve_) return {Accepted::Status::exhausted};
  FakeClient* const client = listener.waiting.front();
  listener.waiting.pop_front();
  if (is_full) {
    client->server_wrote_last_ = client->server_closed_ = true;
    return {Accepted::Status::shed};
  }
  // The last use of `listener`: its place moves when the table grows.
  const bool is_beyond = open_sockets() >= places_max_;
  client->socket_ = add_end({.kind = End::Kind::connection, .client = client});
  return {Accepted::Status::accepted, client->socket_, is_beyond, true};
}

Io FakeNet::read(Socket socket, std::span<char> into) {
  FakeClient& client = *open_end(socket, End::Kind::connection).client;
  CHECK(!into.empty());
  ++counters_.reads;
  if (client.was_reset_) return {Io::Status::closed, 0};
  if (client.outbound_.empty())
    return {client.sent_last_ ? Io::Status::closed : Io::Status::would_block, 0};
  std::string& piece = client.outbound_.front();
  const size_t bytes = std::min({into.size(), piece.size(), read_bytes_max_});
  std::memcpy(into.data(), piece.data(), bytes);
  piece.erase(0, bytes);
  if (piece.empty()) client.outbound_.pop_front();
  counters_.bytes_read += bytes;
  return {Io::Status::ok, bytes};
}

Io FakeNet::write(Socket socket, std::span<const char> from) {
  FakeClient& client = *open_end(socket, End::Kind::connection).client;
  CHECK(!from.empty());
  CHECK(!client.server_wrote_last_);
  ++counters_.writes;
  if (client.was_reset_) return {Io::Status::closed, 0};
  if (client.is_closed_) {
    // The kernel takes the bytes; the reset that they earn is found by the next call.
    client.lose_everything();
    return {Io::Status::ok, from.size()};
  }
  if (client.inbound_.size() >= client.window_) return {Io::Status::would_block, 0};
  const size_t bytes =
      std::min({from.size(), client.window_ - client.inbound_.size(), write_bytes_max_});
  client.inbound_.append(from.data(), bytes);
  counters_.bytes_written += bytes;
  counters_.writes_short += bytes < from.size();
  return {Io::Status::ok, bytes};
}

void FakeNet::shut_down_write(Socket socket) {
  open_end(socket, End::Kind::connection).client->server_wrote_last_ = true;
}

void FakeNet::forget(Socket socket) {
  CHECK(socket >= kFirstSocket);
  End& end = ends_.at(static_cast<size_t>(socket - kFirstSocket));
  CHECK(end.is_open);
  end.is_open = false;
  if (std::exchange(end.is_watched, false)) --watches_;
}

void FakeNet::close(Socket socket) {
  forget(socket);
  End& end = ends_[static_cast<size_t>(socket - kFirstSocket)];
  for (FakeClient* const client : end.waiting) client->lose_everything();
  end.waiting.clear();
  if (end.client == nullptr) return;
  end.client->server_wrote_last_ = end.client->server_closed_ = true;
  if (!end.client->outbound_.empty()) end.client->lose_everything();
}

void FakeNet::reset(Socket socket) {
  forget(socket);
  FakeClient& client = *ends_[static_cast<size_t>(socket - kFirstSocket)].client;
  client.server_wrote_last_ = client.server_closed_ = true;
  client.lose_everything();
}

net::Address FakeNet::peer_of(Socket socket) {
  const FakeClient& client = *open_end(socket, End::Kind::connection).client;
  if (client.was_reset_) return {};
  net::Address address = client.address_;
  address.port = static_cast<uint16_t>(40'000 + (socket - kFirstSocket) % 20'000);
  return address;
}

}  // namespace stampede::world
