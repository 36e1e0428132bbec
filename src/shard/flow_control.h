// Who is read now, and who waits: for room behind its own answers, for a place, for a share of the turn, for a buffer.
//
// Back-pressure works both ways. A connection with 64 unanswered requests or 64 KiB of unsent output is not read until
// that has changed, and until then it costs nothing: it is looked at again when the socket takes bytes or an answer
// comes, and not once a turn. While half of all places are taken, a connection may have one of them, so that few who ask for
// much and read nothing cannot hold those of everybody.
//
//   parsing   going ──stall()──▶ stalled ──look_again(), call_back()──▶ resumed ──take_resumed()──▶ going
//                └──resume(), wait_for_turn()──────────────────────────────▲
//
// Fair turns. One read decides at most kRequestsPerRead requests of a connection, and a turn at most kRequestsPerTurn of usual
// connections; who has more, or comes later, goes on in the next turns, first come first served. A handler ranks connections by
// what they last asked for (rank()): those of better rank are read before all others and whatever these have used up, so that a
// payment waits for one turn of bounded length, however many requests flood in.
//
// What the net tells of a connection follows from all that (update_interest()).
#pragma once

#include "shard/connection_table.h"
#include "shard/metrics.h"
#include "shard/turn_list.h"

namespace stampede::shard {

constexpr uint32_t kRequestsPerRead = 16;
constexpr uint32_t kRequestsPerTurn = 256;  // of all usual connections: some 1 ms

class FlowControl {
 public:
  FlowControl(ConnectionTable& table, net::Net& net, Metrics& metrics);

  // ---- may it? ----

  // Have one more request, as far as the connection itself is concerned; a place must be free, too.
  bool has_room(const Connection& connection) const {
    return !connection.is_closing && !table_.passes_on && connection.line.count < line_max() &&
           connection.output.bytes() < bounds::output_bytes_max;
  }
  // A share of this turn is left for it. Those of better rank take nothing of it and need none.
  bool may_decide(const Connection& connection) const;
  // Requests that one read of a connection may decide.
  uint32_t read_budget() const { return table_.is_stopping ? UINT32_MAX : kRequestsPerRead; }

  // ---- it waits ----

  // Something waits behind the line or the output. Its own answers end that, or in a crowd also those of others.
  void stall(uint32_t index);
  // It may go on, in a later turn.
  void resume(uint32_t index);
  // The same, and epoll does not report its input meanwhile: its turn may be long in coming while there are no places.
  void wait_for_turn(uint32_t index);
  // Answers of a stalled one have left.
  void look_again(uint32_t index);
  // It has found no buffer.
  void starve(uint32_t index);

  // ---- the turn ----

  void begin_turn() { turn_budget_ = kRequestsPerTurn; }
  // A request of it is decided.
  void spend(const Connection& connection) {
    if (connection.rank == net::Rank::usual && turn_budget_ > 0) --turn_budget_;
  }
  // The crowd is over for those that waited for nothing else. Some a turn: there may be as many as connections.
  void call_back();
  // Those that may go on now, each once in a call: as long as there are places, and half of the turn is left for those who
  // have not had one. Whoever has still more goes to the end, for the next turn.
  template <typename GoOn>
  void take_resumed(GoOn go_on) {
    for (size_t count = resumed_.size(); count > 0 && may_go_on(); --count)
      if (const uint32_t index = next_resumed(); index != kNone) go_on(index);
  }
  // Those that found no buffer, only when chunks have come back since the last look; who finds none again goes to the end.
  template <typename Feed>
  void feed_starving(Feed feed) {
    if (!can_feed()) return;
    returns_seen_ = table_.buffers().returns();
    for (size_t count = starving_.size(); count > 0; --count)
      if (const uint32_t index = next_starving(); index != kNone) feed(index);
  }
  // Something can be done now without another event.
  bool has_work() const;

  // ---- the net ----

  void update_interest(uint32_t index);
  // How soon it is read again, by what it asked for last.
  void rank(uint32_t index, net::Rank rank) {
    if (table_.connections[index].rank != rank) set_rank(index, rank);
  }

 private:
  bool is_crowded() const;
  uint32_t line_max() const { return is_crowded() ? 1 : bounds::pipelined_max; }
  bool may_go_on() const;
  bool can_feed() const;
  void set_rank(uint32_t index, net::Rank rank);
  uint32_t next_resumed();
  uint32_t next_starving();

  ConnectionTable& table_;
  net::Net& net_;
  Metrics& metrics_;
  uint32_t turn_budget_ = kRequestsPerTurn;  // requests of usual connections, still in this turn
  TurnList resumed_;                         // may go on being parsed
  TurnList crowded_out_;                     // stalled also because others have the places
  TurnList starving_;                        // wait for a buffer
  uint64_t returns_seen_ = 0;  // chunks that had come back when the starving ones last looked
};

// Half of the places may be taken by whoever comes first. The other half is for those who have none: some clients that ask for much
// and read nothing would hold all of them, and nobody else's request would be read.
inline bool FlowControl::is_crowded() const {
  return table_.places.used() >= table_.settings.places_max / 2 && !table_.is_stopping;
}

}  // namespace stampede::shard
