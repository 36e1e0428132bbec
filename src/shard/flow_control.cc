#include "shard/flow_control.h"

#include <algorithm>

namespace stampede::shard {

using Parsing = Connection::Parsing;

FlowControl::FlowControl(ConnectionTable& table, net::Net& net, Metrics& metrics)
    : table_(table),
      net_(net),
      metrics_(metrics),
      resumed_(table.settings.connections_max),
      crowded_out_(table.settings.connections_max),
      starving_(table.settings.connections_max) {}

bool FlowControl::may_decide(const Connection& connection) const {
  return turn_budget_ > 0 || connection.rank != net::Rank::usual || !connection.service.is_public ||
         table_.is_stopping;
}

void FlowControl::stall(uint32_t index) {
  Connection& connection = table_.connections[index];
  if (is_crowded()) crowded_out_.add(index);
  if (connection.parsing == Parsing::going) metrics_.connections_stalled.add();
  connection.parsing = Parsing::stalled;
}

void FlowControl::resume(uint32_t index) {
  table_.connections[index].parsing = Parsing::resumed;
  resumed_.add(index);
}

void FlowControl::wait_for_turn(uint32_t index) {
  resume(index);
  update_interest(index);
}

void FlowControl::look_again(uint32_t index) {
  const Connection& connection = table_.connections[index];
  if (connection.parsing != Parsing::stalled) return;
  if (has_room(connection))
    resume(index);
  else if (is_crowded())
    crowded_out_.add(index);  // its line was full, and now only the crowd is in its way
}

void FlowControl::call_back() {
  for (size_t count = std::min<size_t>(crowded_out_.size(), bounds::events_per_turn_max);
       count > 0 && !is_crowded(); --count) {
    const uint32_t index = crowded_out_.take();
    if (table_.connections[index].is_open) look_again(index);
  }
}

bool FlowControl::may_go_on() const {
  return !table_.places.is_full() && turn_budget_ > kRequestsPerTurn / 2;
}

uint32_t FlowControl::next_resumed() {
  const uint32_t index = resumed_.take();
  Connection& connection = table_.connections[index];
  if (!connection.is_open || connection.parsing != Parsing::resumed) return kNone;
  connection.parsing = Parsing::going;
  return index;
}

void FlowControl::starve(uint32_t index) {
  table_.connections[index].is_starving = true;
  starving_.add(index);
}

bool FlowControl::can_feed() const {
  return !starving_.empty() && returns_seen_ != table_.buffers().returns();
}

uint32_t FlowControl::next_starving() {
  const uint32_t index = starving_.take();
  Connection& connection = table_.connections[index];
  if (!connection.is_open || !connection.is_starving) return kNone;
  connection.is_starving = false;
  return index;
}

bool FlowControl::has_work() const {
  return (!resumed_.empty() && !table_.places.is_full()) ||
         (!crowded_out_.empty() && !is_crowded()) || can_feed();
}

void FlowControl::update_interest(uint32_t index) {
  Connection& connection = table_.connections[index];
  const bool reads = connection.waiting == Connection::Waiting::linger ||
                     (!connection.input_ended && has_room(connection) &&
                      connection.parsing == Parsing::going && !connection.is_starving);
  const bool writes = connection.has_output();
  const net::Interest interest = reads && writes ? net::Interest::read_write
                                 : reads         ? net::Interest::read
                                 : writes        ? net::Interest::write
                                                 : net::Interest::none;
  if (interest == connection.interest) return;
  connection.interest = interest;
  net_.rewatch(connection.socket, connection.token(index), interest);
}

void FlowControl::set_rank(uint32_t index, net::Rank rank) {
  Connection& connection = table_.connections[index];
  connection.rank = rank;
  net_.set_rank(connection.socket, connection.token(index), connection.interest, rank);
}

}  // namespace stampede::shard
