// The connections of one shard: bytes in, requests to their handler, answers out in the order of the requests. Knows
// HTTP and nothing of what is sold.
//
//   socket ─read─▶ input ─parse─▶ place ──▶ RequestHandler
//   socket ◀write─ output ◀─render── in order ◀─ place ◀── complete()
//   socket ◀write── a large body, from its place ◀──┘
//
// Back-pressure works both ways. A connection with 64 unanswered requests or 64 KiB of unsent output is not read until
// that has changed, and until then it costs nothing: it is looked at again when the socket takes bytes or an answer
// comes, and not once a turn. While half of all places are taken, a connection may have one of them, so that few who ask for
// much and read nothing cannot hold those of everybody. An idle connection holds no buffer and no place: about 160 bytes.
//
// An answer is whole or is not begun. Its head is rendered only when there is room for all of it, or when its body lies
// at its place and goes from there to the socket, so that a large answer needs no buffer beyond its head; nothing is
// rendered behind it until its last byte is written. A connection that finds no buffer waits until one comes back, at
// most as long as a client may take to read; it is never closed because others use theirs.
//
// When no place is left for a newcomer, the connection that has owed nobody an answer for longest is closed for it: idle
// clients, and those that send half a request, hold no place against those who want one. Those of usual rank go first (see
// rank()), behind them those who last did something with an order, and at last those who last paid. An address that has as many
// connections as it may have is told so with a 429; of those answers at most kRefusedMax linger, and further ones are reset,
// so that whoever is refused holds nothing.
//
// When all places are used by clients that wait for an answer or have not taken theirs, a newcomer is a guest: kGuestsMax of them
// are let in beyond the places, so that money can be brought and an order be cancelled or read whatever a rush holds.
// Nobody knows what a newcomer wants before its first request, so it may bring that one, and is answered once and closed: its
// handler refuses everything else as overloaded (is_guest()). A guest that has not asked yet makes room for the next one, and
// no request of a guest waits on purpose, and its answer must be taken within kGuestWriteMs, so nobody can hold these places.
// Operators have places of their own in the budget of descriptors.
//
//   newcomer ─▶ a free place ─▶ an idle one of usual, second, first rank ─▶ a free guest's place ─▶ an idle guest's ─▶ reset
//
// Fair turns. One read decides at most kRequestsPerRead requests of a connection, and a turn at most kRequestsPerTurn of usual
// connections; who has more, or comes later, goes on in the next turns, first come first served. A handler ranks connections by
// what they last asked for (rank()): those of better rank are read before all others and whatever these have used up, so that a
// payment waits for one turn of bounded length, however many requests flood in.
//
// Large bodies go out with a budget of bytes a turn, and one a connection: 64 pages of the catalog for each of a
// thousand connections are many turns and not one.
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
#include <string>
#include <vector>

#include "base/clock.h"
#include "door/address_table.h"
#include "door/rules.h"
#include "http/date_text.h"
#include "http/parser.h"
#include "http/response.h"
#include "net/net.h"
#include "net/passed_sockets.h"
#include "shard/access_log.h"
#include "shard/idle_line.h"
#include "shard/listeners.h"
#include "shard/metrics.h"
#include "shard/output.h"
#include "shard/places.h"
#include "shard/turn_list.h"
#include "stock/timer_wheel.h"

namespace stampede::shard {

// Bytes of large answers in one turn, of all connections: some 200 µs.
constexpr size_t kBodyBytesPerTurn = 1024 * 1024;
constexpr uint32_t kRequestsPerRead = 16;
constexpr uint32_t kRequestsPerTurn = 256;  // of all usual connections: some 1 ms
// Connections of a shard that were refused for their address and still linger, so that the client can read why.
constexpr uint32_t kRefusedMax = 64;
// Of a shard, beyond all places; net::descriptors_per_shard has them. Each is used for a turn or a commit.
constexpr uint32_t kGuestsMax = 8;
constexpr int64_t kGuestWriteMs = 1'000;  // for all of its answer
// Of a large output, taken within bounds::write_deadline_ms: then the deadline begins anew.
constexpr uint32_t kWriteBytesMin = 16 * 1024;

struct ConnectionsSettings {
  uint32_t shard = 0;
  http::Origins origins = {};  // of pages that may read public answers
  uint32_t connections_max = bounds::connections_max;
  uint32_t places_max = bounds::places_max;
  // Buffers of each size.
  net::BufferPool::Counts chunks_max = {bounds::chunks_small_max, bounds::chunks_medium_max,
                                        bounds::chunks_large_max};
};

class Connections {
 public:
  // The references must outlive this.
  Connections(const ConnectionsSettings& settings, net::Net& net, Metrics& metrics, Moment now);

  // Where connections of one address are counted, beside those of other shards; must outlive this.
  void count_addresses_in(door::AddressTable& addresses) { addresses_ = &addresses; }
  // Before there are requests; null: there is no access log.
  void log_accesses_in(std::unique_ptr<AccessTrace> access) { access_ = std::move(access); }
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
  void read();
  // Writes what the turn has rendered: one write per socket, and one more for a large body.
  void flush();
  // Something can be done now without another event.
  bool has_work() const;
  int64_t quiet_until_ns() const;

  // ---- for handlers ----

  // The request of this place is still there and has no answer.
  bool is_waiting(const ReplyTo& place) const { return places_.is_waiting(place); }
  // The answer; nothing happens when the place is not waiting any more.
  void complete(const OrderAnswer& answer);
  void complete(const ReplyTo& place, TextAnswer answer);
  void refuse(const ReplyTo& place, const http::Refusal& refusal);
  // The waiting request comes from a page of a listed origin.
  bool is_listed_origin(const ReplyTo& place) const { return places_[place.place].origin != 0; }
  // Every answer in front of this waiting request has been written. When it is not so, the handler is told with
  // take_turn() as soon as it is: for answers so large that one a connection must be enough.
  bool is_first(const ReplyTo& place);
  // The waiting request may stay without an answer for a while. False: another one waits behind it or the server stops.
  // When that comes later, the handler is told with hurry().
  bool may_linger(const ReplyTo& place);
  // The waiting request came on a connection beyond all places: only what a client does with an order that it has, and
  // payments, may be answered by more than overloaded.
  bool is_guest(const ReplyTo& place) const {
    return connections_[places_[place.place].connection].is_guest;
  }
  // The client's address as text; the place must be waiting.
  std::string peer_of(const ReplyTo& place) const;
  // What the waiting request is decides how soon its connection is read again.
  void rank(const ReplyTo& place, net::Rank rank);
  // The same as a limit of addresses sees it.
  const door::Address& address_of(const ReplyTo& place);
  // Who asks, for the access log; the place must be waiting.
  void note_user(const ReplyTo& place, const UserText& user) {
    if (const uint32_t cell = places_[place.place].access; cell != kNone) [[unlikely]]
      access_->set_user(cell, user);
  }
  void note_unnamed_address() { metrics_.addresses_unnamed.add(); }
  // An order or a link of this item was refused: for the counts of an operator.
  void count_refusal(ItemId item, Verdict verdict, Limit limit) {
    metrics_.refusals.count(item, verdict, limit);
  }
  // Bytes of answers that wait to be written: what a handler looks at before it makes another large one.
  size_t text_bytes() const { return places_.text_bytes(); }

  // ---- the end ----

  void begin_stop(Moment now, bool passes_on = false);
  bool is_drained() const;
  void close_all();
  // Every connection leaves: those on which nothing is owed into `sockets`, the others are closed.
  void pass_on(std::vector<net::PassedConnection>& sockets);

  uint32_t open() const { return connections_.used(); }
  const net::BufferPool& buffers() const { return book_.buffers(); }

  // Tokens of other descriptors that the shard watches must have this bit set.
  static constexpr uint64_t kForeignToken = uint64_t{1} << 63;

 private:
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
    enum class Waiting : uint8_t {
      idle,
      head,
      body,
      answer,
      write,
      linger
    } waiting = Waiting::idle;
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
    bool is_guest = false;       // beyond all places
    bool continue_sent = false;  // "100 Continue" for the request at the front of the input
  };
  // How far a write has come.
  enum class Sent : uint8_t { all, blocked, postponed, gone };
  enum class Rendered : uint8_t { whole, head, nothing };

  uint32_t open_connection(const net::Accepted& accepted, const Service& service);
  bool evict_one(IdleKind kind);
  bool evict_regular();
  bool make_room(const net::Accepted& accepted, const Service& service, bool& is_guest);
  void shed(net::Socket socket);
  void admit_address(uint32_t index);
  void update_idle(uint32_t index);
  const door::Address& peer(Connection& connection);
  void close_connection(uint32_t index);
  void reset_connection(uint32_t index);
  void release_connection(uint32_t index);
  bool may_receive(uint32_t index);
  bool may_read(uint32_t index);
  void read_some(uint32_t index);
  void look_at(uint32_t index);
  void receive(uint32_t index);
  void take_read(uint32_t index, std::span<char> into, const net::Io& io);
  bool keep(uint32_t index, std::span<const char> bytes);
  void read_lingering(uint32_t index);
  std::span<char> read_room(Connection& connection);
  void take_input(uint32_t index, std::span<const char> bytes);
  size_t parse_some(uint32_t index, std::span<const char> bytes);
  void need_more(uint32_t index, const http::Parsed& parsed);
  bool may_decide(const Connection& connection) const;
  bool has_room_for_request(const Connection& connection) const;
  uint32_t line_max() const;
  bool is_crowded() const;
  void dispatch(uint32_t index, const http::Request& request);
  void refuse_connection(uint32_t index, const http::Refusal& refusal);
  void hurry_last(const Connection& connection);

  void write_line(uint32_t index);
  void render_line(uint32_t index);
  http::Delivery delivery_of(const Connection& connection, const Place& place) const;
  Rendered render(Connection& connection, uint32_t place);
  Rendered render_text(Connection& connection, const Place& place, const TextAnswer& text);
  void count_answer(const Connection& connection, const Place& place, uint32_t index);
  void log_access(const Place& place, uint32_t index, size_t bytes, Rendered rendered);

  void stall(uint32_t index);
  void resume(uint32_t index);
  void wait_for_turn(uint32_t index);
  void starve(uint32_t index);
  void resume_stalled(uint32_t index);
  void call_back();
  void take_resumed();
  void feed_starving();

  void send_rest(uint32_t index, Sent sent);
  Sent send(uint32_t index);
  Sent send_output(Connection& connection);
  Sent send_body(uint32_t index);
  Sent write(Connection& connection, std::span<const char> bytes, size_t& written);
  Sent take_write(Connection& connection, const net::Io& io);
  static bool has_unsent(const Connection& connection) {
    return !connection.output.empty() || connection.is_sending || connection.is_starving;
  }
  void after_write(uint32_t index);
  void after_last_answer(uint32_t index);
  void update_interest(uint32_t index);

  void set_deadline(uint32_t index, Connection::Waiting waiting, int64_t milliseconds);
  void on_deadline(uint32_t index);
  void give_back_buffers();
  void stop_some();
  void leave_behind(bool with_waiting);

  ConnectionsSettings settings_;
  net::Net& net_;
  Metrics& metrics_;
  Moment now_;
  http::DateText date_;

  OutputBook book_;
  Listeners listeners_;
  Slab<Connection> connections_;
  IdleLine idle_;  // public ones
  door::AddressTable* addresses_ = nullptr;
  door::Limits limits_;
  uint32_t refused_open_ = 0;
  uint32_t guests_open_ = 0;
  uint32_t turn_budget_ =
      kRequestsPerTurn;  // requests of usual connections that this turn may still decide
  Places places_;
  stock::TimerWheel deadlines_;  // by connection
  // Of one call of the net, and whose they are.
  std::vector<net::Read> reads_;
  std::vector<net::Write> writes_;
  std::vector<uint32_t> reading_, writing_;
  TurnList ready_;             // to be read in this turn
  TurnList dirty_;             // to be written at its end
  TurnList resumed_;           // may go on being parsed
  TurnList crowded_out_;       // stalled also because others have the places
  TurnList starving_;          // wait for a buffer
  TurnList postponed_;         // large bodies whose share of the turn was used up
  uint64_t returns_seen_ = 0;  // chunks that had come back when the starving ones last looked
  size_t body_budget_ = 0;     // of this turn
  int64_t give_back_ns_;       // when idle buffers are looked at again

  bool is_stopping_ = false;
  bool passes_on_ = false;
  int64_t pass_until_ns_ = INT64_MAX;  // who reads nothing is waited for
  int64_t stop_until_ns_ = INT64_MAX;
  uint32_t stop_cursor_ = 0;  // connections below it have been asked for what had arrived
  std::unique_ptr<AccessTrace> access_;
  std::vector<char> read_scratch_;
  std::vector<char> body_scratch_;
};

}  // namespace stampede::shard
