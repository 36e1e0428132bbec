// Bytes in, requests to their handler: a connection's input is read, parsed as far as requests are taken now, and the rest
// is kept for later.
//
//   socket ─read─▶ input ─parse─▶ place ──▶ RequestHandler
//
// Connections without kept input are read together. An idle connection holds no buffer.
#pragma once

#include <vector>

#include "http/parser.h"
#include "shard/answers.h"
#include "shard/connection_table.h"
#include "shard/deadlines.h"
#include "shard/flow_control.h"
#include "shard/roster.h"
#include "shard/sender.h"
#include "shard/turn_list.h"

namespace stampede::shard {

class RequestReader {
 public:
  // The references must outlive this.
  RequestReader(ConnectionTable& table, net::Net& net, Metrics& metrics, FlowControl& flow,
                Deadlines& deadlines, Sender& sender, Answers& answers, Roster& roster);

  // It has something, and is read behind the events of the turn.
  void add(uint32_t index) { ready_.add(index); }
  // Reads from all that were added, and decides it.
  void read();
  // What one has sent is taken, or kept for a later turn, so that it is known whether it has sent anything.
  void look_at(uint32_t index);
  // It has waited for its turn: what was kept of it is taken, or what waits at its socket.
  void go_on(uint32_t index);
  // What another server had read of it, to be taken in its turn.
  void adopt(uint32_t index, std::span<const char> bytes);
  // The server stops: what has arrived is taken, and nothing more.
  void take_last(uint32_t index);

 private:
  bool may_receive(uint32_t index);
  bool may_read(uint32_t index);
  void read_one(uint32_t index);
  void receive(uint32_t index);
  void take_read(uint32_t index, std::span<char> into, const net::Io& io);
  void end_input(uint32_t index);
  void read_lingering(uint32_t index);
  std::span<char> room(Connection& connection);
  bool keep(uint32_t index, std::span<const char> bytes);
  void take_input(uint32_t index, std::span<const char> bytes);
  size_t parse_some(uint32_t index, std::span<const char> bytes);
  void need_more(uint32_t index, const http::Parsed& parsed);
  void dispatch(uint32_t index, const http::Request& request);
  void stall(uint32_t index);

  ConnectionTable& table_;
  net::Net& net_;
  Metrics& metrics_;
  FlowControl& flow_;
  Deadlines& deadlines_;
  Sender& sender_;
  Answers& answers_;
  Roster& roster_;
  TurnList ready_;  // to be read in this turn
  // Of one call of the net, and whose they are.
  std::vector<net::Read> reads_;
  std::vector<uint32_t> reading_;
  std::vector<char> read_scratch_;
  std::vector<char> body_scratch_;
};

}  // namespace stampede::shard
