// What handlers see of the connections: the place of each unanswered request, what is known of who asks, and where its
// answer goes. Answers come in any order, and leave in the order of the requests:
//
//   begin() ─▶ place ──▶ RequestHandler ──▶ complete() ─▶ place ─ in order ─▶ output
//                              ▲    ▲                            └─ large ─▶ sending ─ end_body() ─▶ the next one
//                     hurry() ─┘    └─ take_turn()
//
// Nothing is rendered behind a large body until its last byte is written. A connection that finds no buffer waits until one
// comes back, at most as long as a client may take to read; it is never closed because others use theirs.
//
// Belongs to its shard's thread.
#pragma once

#include <memory>
#include <string>

#include "shard/access_log.h"
#include "shard/connection_table.h"
#include "shard/flow_control.h"
#include "shard/metrics.h"
#include "shard/renderer.h"
#include "shard/sender.h"

namespace stampede::shard {

class Answers {
 public:
  // The references must outlive this.
  Answers(ConnectionTable& table, net::Net& net, Metrics& metrics, FlowControl& flow,
          Sender& sender)
      : table_(table),
        net_(net),
        metrics_(metrics),
        flow_(flow),
        sender_(sender),
        renderer_(table) {}

  // ---- for handlers ----

  // The request of this place is still there and has no answer.
  bool is_waiting(const ReplyTo& place) const { return table_.places.is_waiting(place); }
  // The answer; nothing happens when the place is not waiting any more.
  void complete(const OrderAnswer& answer);
  void complete(const ReplyTo& place, TextAnswer answer);
  void refuse(const ReplyTo& place, const http::Refusal& refusal);
  // The waiting request comes from a page of a listed origin.
  bool is_listed_origin(const ReplyTo& place) const {
    return table_.places[place.place].origin != 0;
  }
  // Every answer in front of this waiting request has been written. When it is not so, the handler is told with
  // take_turn() as soon as it is: for answers so large that one a connection must be enough.
  bool is_first(const ReplyTo& place);
  // The waiting request may stay without an answer for a while. False: another one waits behind it or the server stops.
  // When that comes later, the handler is told with hurry().
  bool may_linger(const ReplyTo& place);
  // The waiting request came on a connection beyond all places: only what a client does with an order that it has, and
  // payments, may be answered by more than overloaded.
  bool is_guest(const ReplyTo& place) const {
    return table_.connections[connection_of(place)].is_guest;
  }
  // The client's address as text; the place must be waiting.
  std::string peer_of(const ReplyTo& place) const;
  // What the waiting request is decides how soon its connection is read again.
  void rank(const ReplyTo& place, net::Rank rank);
  // The same as a limit of addresses sees it.
  const door::Address& address_of(const ReplyTo& place);
  // Who asks, for the access log; the place must be waiting.
  void note_user(const ReplyTo& place, const UserText& user) {
    if (const uint32_t cell = table_.places[place.place].access; cell != kNone) [[unlikely]]
      access_->set_user(cell, user);
  }
  void note_unnamed_address() { metrics_.addresses_unnamed.add(); }
  // An order or a link of this item was refused: for the counts of an operator.
  void count_refusal(ItemId item, Verdict verdict, Limit limit) {
    metrics_.refusals.count(item, verdict, limit);
  }
  // Bytes of answers that wait to be written: what a handler looks at before it makes another large one.
  size_t text_bytes() const { return table_.places.text_bytes(); }

  // ---- for the connections ----

  // Before there are requests; null: there is no access log.
  void log_accesses_in(std::unique_ptr<AccessTrace> access) { access_ = std::move(access); }
  void begin_turn() { renderer_.refresh_date(); }
  // A request that has come; a place must be free.
  [[nodiscard]] ReplyTo begin(uint32_t index, Connection& connection, const http::Request& request);
  // It can be read no further: it is told why, and ends behind that. Without a place it ends without a word.
  void refuse_connection(uint32_t connection, const http::Request& request,
                         const http::Refusal& refusal);
  // The last request of a line, when it waits on purpose: there is a reason now not to.
  void hurry_last(const Connection& connection);
  // Every answer at the front of the line that is there, up to a large body, which is written from its place.
  void render_line(uint32_t connection);
  // That body is written.
  void end_body(uint32_t connection);
  // The connection ends: whoever waits for an answer on it is told, and none comes any more.
  void abandon(Connection& connection);

 private:
  uint32_t connection_of(const ReplyTo& place) const {
    return table_.places[place.place].connection;
  }
  void note_request(Place& place, const Connection& connection, const http::Request& request);
  void write_line(uint32_t place);
  void count(const Connection& connection, const Place& place, uint32_t index);
  void log_access(const Place& place, uint32_t index, size_t bytes, Rendered rendered);

  ConnectionTable& table_;
  net::Net& net_;
  Metrics& metrics_;
  FlowControl& flow_;
  Sender& sender_;
  Renderer renderer_;
  std::unique_ptr<AccessTrace> access_;
};

}  // namespace stampede::shard
