// The connections of one shard: bytes in, requests to their handler, answers out in the order of the requests. Knows
// HTTP and nothing of what is sold.
//
//   socket ─read─▶ input ─parse─▶ place ──▶ RequestHandler
//   socket ◀write─ output ◀─render── in order ◀─ place ◀── Answers::complete()
//   socket ◀write── a large body, from its place ◀──┘
//
// Each arrow is a part of its own (connection_table.h). What is left for this class is what belongs to none of them: who is
// let in, the order of a turn, what follows from a write, and the end.
//
// An idle connection holds no buffer and no place: about 160 bytes.
//
// Stopping is three calls. begin_stop(): no new connections, no further requests; what has arrived is answered, with
// the truth that the server stops, and requests that wait on purpose are hurried. is_drained(): every answer that was
// owed has been written. A client that takes no answers is left behind: kStopPatienceNs after begin_stop() all
// connections are closed, so is_drained() becomes true whatever clients do, as long as pass_time() is called by
// quiet_until_ns(). close_all() does it at once.
//
// A server whose place is taken by another process stops otherwise: nothing more is read, what was decided is answered, and
// behind is_drained() pass_on() gives the connections away, with what had been read of them; the other process adopts them, and no
// client notices. A client that reads no answers within kPassPatienceNs is left behind.
//
// Belongs to its shard's thread.
#pragma once

#include <memory>
#include <vector>

#include "door/rules.h"
#include "net/passed_sockets.h"
#include "shard/answers.h"
#include "shard/connection_table.h"
#include "shard/deadlines.h"
#include "shard/flow_control.h"
#include "shard/listeners.h"
#include "shard/request_reader.h"
#include "shard/roster.h"
#include "shard/sender.h"

namespace stampede::shard {

class Connections {
 public:
  // The references must outlive this.
  Connections(const ConnectionsSettings& settings, net::Net& net, Metrics& metrics, Moment now);

  // What handlers answer through.
  Answers& answers() { return answers_; }
  // Where connections of one address are counted, beside those of other shards; must outlive this.
  void count_addresses_in(door::AddressTable& addresses) { roster_.count_addresses_in(addresses); }
  // Before there are requests; null: there is no access log.
  void log_accesses_in(std::unique_ptr<AccessTrace> access) {
    answers_.log_accesses_in(std::move(access));
  }
  // Connections that are open stay, whatever the new limits are.
  void set_limits(const door::Limits& limits);

  // A connection of a server that was here before; owns the socket from here on. Before the first turn.
  void adopt(const net::PassedConnection& passed, const Service& service);
  // Owns the socket from here on.
  void add_listener(net::Socket socket, const Service& service) { listeners_.add(socket, service); }

  // ---- once per turn ----

  // Deadlines, and connections that had to wait for a place, a buffer or their share of a turn.
  void pass_time(Moment now);
  void on_event(const net::Event& event, Moment now);
  // Behind the events: reads from all that have something, and decides it.
  void read() { reader_.read(); }
  // Writes what the turn has rendered: one write per socket, and one more for a large body.
  void flush();
  // Something can be done now without another event.
  bool has_work() const;
  int64_t quiet_until_ns() const;

  // ---- the end ----

  void begin_stop(Moment now, bool passes_on = false);
  bool is_drained() const;
  void close_all();
  // Every connection leaves: those on which nothing is owed into `sockets`, the others are closed.
  void pass_on(std::vector<net::PassedConnection>& sockets);

  uint32_t open() const { return table_.connections.used(); }
  const net::BufferPool& buffers() const { return table_.book.buffers(); }

  // Tokens of other descriptors that the shard watches must have this bit set.
  static constexpr uint64_t kForeignToken = uint64_t{1} << 63;

 private:
  uint32_t let_in(const net::Accepted& accepted, const Service& service);
  bool make_room(const net::Accepted& accepted, const Service& service, bool& is_guest);
  bool evict_regular();
  bool evict_one(IdleKind kind);

  Sender::Sent send(uint32_t index);
  void follow_up(uint32_t index, Sender::Sent sent);
  void after_write(uint32_t index);
  void after_last_answer(uint32_t index);

  void on_late(uint32_t index);
  void give_back_buffers();
  bool is_stop_done() const { return stop_cursor_ >= table_.connections.touched(); }
  void stop_some();
  void leave_behind(bool with_waiting);

  net::Net& net_;
  Metrics& metrics_;
  ConnectionTable table_;
  Deadlines deadlines_;
  FlowControl flow_;
  Sender sender_;
  Answers answers_;
  Roster roster_;
  RequestReader reader_;
  Listeners listeners_;

  int64_t give_back_ns_;               // when idle buffers are looked at again
  int64_t pass_until_ns_ = INT64_MAX;  // who reads nothing is waited for
  int64_t stop_until_ns_ = INT64_MAX;
  uint32_t stop_cursor_ = 0;  // connections below it have been asked for what had arrived
};

}  // namespace stampede::shard
