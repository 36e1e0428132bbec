#include "shard/roster.h"

#include "net/descriptor_budget.h"

namespace stampede::shard {

static_assert(kGuestsMax <= net::descriptors_of_guests_per_shard);

Roster::Roster(ConnectionTable& table, net::Net& net, Metrics& metrics, Deadlines& deadlines,
               Answers& answers)
    : table_(table),
      net_(net),
      metrics_(metrics),
      deadlines_(deadlines),
      answers_(answers),
      idle_(table.settings.connections_max) {}

// ---- in ----

uint32_t Roster::open(net::Socket socket, const Service& service, bool is_guest) {
  const uint32_t index = table_.connections.allocate();
  CHECK(index != kNone);
  Connection& connection = table_.connections[index];
  connection.begin(socket, service, is_guest);
  guests_open_ += is_guest;
  if (!net_.watch(socket, connection.token(index), net::Interest::read)) {
    metrics_.connections_shed.add();
    close(index);
    return kNone;
  }
  metrics_.connections_accepted.add();
  metrics_.connections_open.set(table_.connections.used());
  deadlines_.wait_for(index, Connection::Waiting::head);
  update_idle(index);
  count_address(index);
  return connection.is_open ? index : kNone;
}

bool Roster::has_room_for_guest() const {
  return guests_open_ < kGuestsMax && !is_full();
}

void Roster::shed(net::Socket socket) {
  metrics_.connections_shed.add();
  net_.reset(socket);
}

// Counted here and not where it is accepted, so that a refusal finds a connection to be told on.
void Roster::count_address(uint32_t index) {
  Connection& connection = table_.connections[index];
  if (address_limit_ == 0 || addresses_ == nullptr || !connection.service.is_public) return;
  const door::AddressGroup group = door::group_of(connection.peer_address(net_));
  const auto admission = addresses_->take_connection(group, address_limit_);
  connection.is_counted = admission == door::AddressTable::Admission::counted;
  if (admission != door::AddressTable::Admission::refused) return;
  metrics_.connections_refused.add();
  if (refused_open_ == kRefusedMax) return reset(index);
  connection.is_refused = true;
  ++refused_open_;
  refuse(index, {}, {.verdict = Verdict::rate_limited, .limit = Limit::address});
}

uint32_t Roster::find(uint64_t token) const {
  const uint32_t index = Connection::index_of(token);
  if (index >= table_.connections.touched()) return kNone;
  const Connection& connection = table_.connections[index];
  return connection.is_open && token == connection.token(index) ? index : kNone;
}

// ---- while it is there ----

void Roster::update_idle(uint32_t index) {
  const Connection& connection = table_.connections[index];
  const bool is_idle =
      connection.is_open && connection.service.is_public && !connection.owes_answer();
  if (!is_idle)
    idle_.remove(index);
  else if (!idle_.holds(index))
    idle_.push(index, connection.is_guest ? IdleKind::guest : idle_kind_of(connection.rank));
}

void Roster::renew_idle(uint32_t index) {
  idle_.remove(index);
  update_idle(index);
}

void Roster::refuse(uint32_t index, const http::Request& request, const http::Refusal& refusal) {
  answers_.refuse_connection(index, request, refusal);
  update_idle(index);
}

// ---- out ----

void Roster::close(uint32_t index) {
  const net::Socket socket = table_.connections[index].socket;
  release(index);
  net_.close(socket);
}

void Roster::evict(uint32_t index) {
  metrics_.connections_evicted.add();
  close(index);
}

// Nothing is left of it in the kernel either.
void Roster::reset(uint32_t index) {
  const net::Socket socket = table_.connections[index].socket;
  release(index);
  net_.reset(socket);
}

void Roster::hand_over(uint32_t index) {
  net_.unwatch(table_.connections[index].socket);
  release(index);
}

void Roster::release(uint32_t index) {
  Connection& connection = table_.connections[index];
  CHECK(connection.is_open);
  answers_.abandon(connection);
  connection.input.clear(table_.buffers());
  connection.output.clear(table_.book);
  if (connection.is_counted) addresses_->give_connection(door::group_of(connection.peer));
  refused_open_ -= connection.is_refused;
  guests_open_ -= connection.is_guest;
  deadlines_.cancel(index);
  connection.is_open = false;
  idle_.remove(index);
  table_.connections.release(index);
  metrics_.connections_open.set(table_.connections.used());
}

}  // namespace stampede::shard
