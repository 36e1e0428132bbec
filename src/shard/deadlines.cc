#include "shard/deadlines.h"

namespace stampede::shard {
namespace {

using Waiting = Connection::Waiting;

int64_t patience_ms(const Connection& connection) {
  switch (connection.waiting) {
    case Waiting::idle:
      return bounds::idle_deadline_ms;
    case Waiting::head:
      return bounds::head_deadline_ms;
    case Waiting::body:
      return bounds::body_deadline_ms;
    case Waiting::write:
      return connection.is_guest ? kGuestWriteMs : bounds::write_deadline_ms;
    case Waiting::linger:
      return bounds::linger_deadline_ms;
    case Waiting::answer:
      break;
  }
  CHECK(false);
}

// More of the same does not move its deadline.
constexpr bool is_total(Waiting waiting) {
  return waiting == Waiting::head || waiting == Waiting::body || waiting == Waiting::write;
}

}  // namespace

// The wheel is touched only when the new deadline is earlier than the one it holds; a later one is found when the timer
// fires.
void Deadlines::wait_for(uint32_t index, Waiting waiting) {
  Connection& connection = table_.connections[index];
  if (is_total(waiting) && connection.waiting == waiting) return;
  connection.waiting = waiting;
  if (waiting == Waiting::write) connection.taken = 0;
  connection.deadline_ns = table_.now.boot_ns + ns_of_ms(patience_ms(connection));
  if (wheel_.is_scheduled_by(index, connection.deadline_ns)) return;
  wheel_.cancel(index);
  wheel_.schedule(index, connection.deadline_ns);
}

void Deadlines::count_taken(Connection& connection, size_t bytes) {
  if (connection.waiting != Waiting::write || connection.is_guest) return;
  connection.taken += static_cast<uint32_t>(bytes);
  if (connection.taken >= kWriteBytesMin) connection.waiting = Waiting::answer;
}

uint32_t Deadlines::next_late(uint32_t& budget) {
  const int64_t now_ns = table_.now.boot_ns;
  for (uint32_t index; (index = wheel_.next_due(now_ns, budget)) != kNone;) {
    const Connection& connection = table_.connections[index];
    if (connection.waiting == Waiting::answer)  // look again when the idle time would be over
      wheel_.schedule(index, now_ns + ns_of_ms(bounds::idle_deadline_ms));
    else if (connection.deadline_ns > now_ns)
      wheel_.schedule(index, connection.deadline_ns);
    else
      return index;
  }
  return kNone;
}

}  // namespace stampede::shard
