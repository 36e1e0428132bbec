// One client connection: orders that were sent and not yet answered, in order, and the bytes on
// both sides.
//
//   sent       [ o o o o ]  oldest first; the next answer belongs to the first
//   output     [ ....written....|....unwritten.... ]   emptied when all is written
//   partial    the beginning of an answer whose end has not come yet; mostly empty
//
// Owned by one generator. Knows no schedule.
#pragma once

#include <cstdint>
#include <string>

#include "base/ring.h"
#include "load/backlog.h"
#include "net/net.h"

namespace stampede::load {

struct Connection {
  enum class State : uint8_t { closed, connecting, open };

  explicit Connection(uint32_t pipeline) : sent(pipeline) {}

  bool has_room() const { return state == State::open && !sent.is_full(); }

  State state = State::closed;
  bool is_listed = false;       // among those with room
  bool has_output = false;      // among those to flush
  bool waits_to_write = false;  // the socket took less than it was given
  net::Socket socket = net::kNoSocket;
  uint32_t generation = 0;  // rises with every close, so that stale events are known
  uint64_t last_user = UINT64_MAX;
  int64_t reopen_at_ns = 0;    // closed: not before
  int64_t reopen_wait_ns = 0;  // doubled each time that it comes to nothing
  int64_t opened_at_ns = 0;
  bool is_answered = false;    // since it was opened
  int64_t answered_at_ns = 0;  // the last answer, or the first order after all were answered
  Ring<Attempt> sent;
  std::string output;
  size_t written = 0;
  std::string partial;
};

// A non-blocking connect to `server`, without Nagle's delay; kNoSocket with errno when it fails at
// once.
[[nodiscard]] net::Socket begin_connect(const net::Address& server);

// After the socket became writable: 0, or the errno of the failed connect.
[[nodiscard]] int connect_result(net::Socket socket);

}  // namespace stampede::load
