// One connection of a shard: a cell of a slab, and what holds in it.
//
//   output, is_sending, is_starving   has_unsent(): bytes of answers wait for the socket or for a buffer
//   line                              requests without an answer that has left
//   waiting, deadline_ns              what the client is waited for, and until when (deadlines.h)
//   parsing, interest                 whether it is read (flow_control.h)
//   is_closing                        no further request is taken, and the connection ends when all is written
//
// While is_sending, the first place of the line is sending its body, and nothing is rendered behind it.
#pragma once

#include <cstddef>

#include "door/address.h"
#include "net/net.h"
#include "shard/listeners.h"
#include "shard/output.h"
#include "shard/places.h"

namespace stampede::shard {

struct Connection {
  net::Socket socket = net::kNoSocket;
  // Part of the token; survives in a free cell, of which only the first word is used.
  uint32_t serial = 0;
  net::InputBuffer input;
  Output output;
  Line line;
  Service service;
  door::Address peer;  // when has_peer
  uint32_t requests = 0;
  int64_t deadline_ns = 0;
  uint32_t linger_bytes = 0;
  uint32_t body_sent = 0;  // of the body at the first place, while it is sending
  uint32_t taken = 0;      // bytes since the write deadline was set
  net::Interest interest = net::Interest::read;
  // What a passed deadline means.
  enum class Waiting : uint8_t { idle, head, body, answer, write, linger } waiting = Waiting::idle;
  // stalled: there may be whole requests, but the line or the output is full. resumed: that is over, and the
  // connection waits for its turn.
  enum class Parsing : uint8_t { going, stalled, resumed } parsing = Parsing::going;
  bool is_open = false;
  bool is_starving = false;  // found no buffer
  bool is_sending = false;   // the first place is sending its body
  bool input_ended = false;  // the client sends no more
  bool is_closing = false;   // no further request is taken; close when all is written
  bool must_linger = false;  // bytes may still come in: a plain close would reset the answer away
  net::Rank rank = net::Rank::usual;
  bool has_peer = false;       // the net was asked for it
  bool is_counted = false;     // its address gets one back when it closes
  bool is_refused = false;     // its address has enough: it is only told so
  bool is_guest = false;       // let in although all connections are taken (roster.h)
  bool continue_sent = false;  // "100 Continue" for the request at the front of the input
  bool is_half_head = false;   // that request is HEAD, as far as it has come

  // The cell has a new owner, whose events those of the last one are not.
  void begin(net::Socket of, const Service& for_service, bool as_guest) {
    const uint32_t last = serial;
    *this = Connection{};
    serial = last + 1;
    socket = of;
    service = for_service;
    is_open = true;
    is_guest = as_guest;
  }
  // Of its events, in the cell with this index.
  uint64_t token(uint32_t index) const { return (uint64_t{serial & 0x3fffffff} << 32) | index; }
  static uint32_t index_of(uint64_t token) { return static_cast<uint32_t>(token); }

  // The client's, as limits of addresses see it; the net is asked once.
  const door::Address& peer_address(net::Net& net);

  // Bytes that the socket has not taken.
  bool has_output() const { return !output.empty() || is_sending; }
  bool has_unsent() const { return has_output() || is_starving; }
  bool owes_answer() const { return line.count > 0 || has_unsent(); }
  // A part of a request has come, and the rest is waited for.
  bool has_half_a_request() const {
    return waiting == Waiting::body || (waiting == Waiting::head && !input.empty());
  }
};
static_assert(offsetof(Connection, serial) >= sizeof(uint32_t), "a free cell keeps its serial");

}  // namespace stampede::shard
