// What each connection is waited for, and until when. A deadline is total: bytes that trickle in do not move it, only what
// it waits for.
//
//   head, body   the rest of a request                     idle     the next request
//   write        a client that takes its answer            linger   one that reads why its connection ends
//   answer       the server itself: nobody is late
//
// The write deadline begins anew when kWriteBytesMin have been taken: a byte now and then would hold the output for ever.
// A guest's does not.
#pragma once

#include "shard/connection_table.h"
#include "stock/timer_wheel.h"

namespace stampede::shard {

constexpr int64_t kGuestWriteMs = 1'000;  // for all of its answer
// Of a large output, taken within bounds::write_deadline_ms: then the deadline begins anew.
constexpr uint32_t kWriteBytesMin = 16 * 1024;

class Deadlines {
 public:
  using Waiting = Connection::Waiting;

  explicit Deadlines(ConnectionTable& table)
      : table_(table), wheel_(table.settings.connections_max, table.now.boot_ns) {}

  // The client's time begins: a request or an answer that is under way keeps the deadline that it has.
  void wait_for(uint32_t index, Waiting waiting);
  // The server's; on the path of every request, and so without the wheel.
  static void wait_for_answer(Connection& connection) {
    connection.waiting = Waiting::answer;
    connection.deadline_ns = INT64_MAX;
  }
  // The client has taken bytes of its answer.
  static void count_taken(Connection& connection, size_t bytes);
  void cancel(uint32_t index) { wheel_.cancel(index); }

  // The next connection that is late, or kNone; it has no deadline any more. `budget`: see TimerWheel::next_due().
  [[nodiscard]] uint32_t next_late(uint32_t& budget);
  int64_t quiet_until_ns() const { return wheel_.quiet_until_ns(); }

 private:
  ConnectionTable& table_;
  stock::TimerWheel wheel_;  // by connection
};

}  // namespace stampede::shard
