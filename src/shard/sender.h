// Bytes of answers to their sockets, at the end of a turn: what is rendered, one write a socket and those of many sockets
// together; and a large body from its place, in pieces.
//
// Large bodies go out with a budget of bytes a turn, and one a connection: 64 pages of the catalog for each of a
// thousand connections are many turns and not one.
//
//   add() ─▶ write_some() ─▶ Written: all ─▶ send(): all, or body: what stands behind it may be rendered
//                                  │           └─▶ postponed: a later turn goes on
//                                  └─▶ blocked: the socket says when · gone: nobody takes anything more
#pragma once

#include <vector>

#include "shard/connection_table.h"
#include "shard/metrics.h"
#include "shard/turn_list.h"

namespace stampede::shard {

// Bytes of large answers in one turn, of all connections: some 200 µs.
constexpr size_t kBodyBytesPerTurn = 1024 * 1024;

class Sender {
 public:
  // How far the bytes of a connection have come. body: with them a large body, whose place is still to be given back.
  enum class Sent : uint8_t { all, body, blocked, postponed, gone };
  // What a first write has done.
  struct Written {
    uint32_t index;
    Sent sent;
  };

  Sender(ConnectionTable& table, net::Net& net, Metrics& metrics);

  // Looked at at the end of this turn, also when it has nothing to be sent. Nothing happens when it is in already.
  void add(uint32_t index) { dirty_.add(index); }
  // Looked at at the end of the next turn, for its share of this one is used up.
  void postpone(uint32_t index) { postponed_.add(index); }
  void begin_turn();
  bool has_work() const { return is_dirty() || !postponed_.empty(); }

  // ---- the end of the turn ----

  void begin_flush() { body_budget_ = kBodyBytesPerTurn; }
  bool is_dirty() const { return !dirty_.empty(); }
  // Some of those that were added, each with one write of what it has; valid until the next call.
  std::span<const Written> write_some();
  // What is left of the output, and then the body that is being sent.
  [[nodiscard]] Sent send(Connection& connection);
  [[nodiscard]] Sent send_output(Connection& connection);

 private:
  Sent send_body(Connection& connection);
  Sent write(Connection& connection, std::span<const char> bytes, size_t& written);
  Sent take_write(Connection& connection, const net::Io& io);

  ConnectionTable& table_;
  net::Net& net_;
  Metrics& metrics_;
  TurnList dirty_;
  TurnList postponed_;
  size_t body_budget_ = 0;  // of this turn
  // Of one call of the net, and whose they are.
  std::vector<net::Write> writes_;
  std::vector<Written> written_;
};

}  // namespace stampede::shard
