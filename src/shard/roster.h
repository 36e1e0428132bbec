// Who is connected: cells from a newcomer's first moment to its close, what they count against, and who makes room for whom.
//
// When no place is left for a newcomer, the connection that has owed nobody an answer for longest is closed for it: idle
// clients, and those that send half a request, hold no place against those who want one. Those of usual rank go first (see
// Answers::rank()), behind them those who last did something with an order, and at last those who last paid. An address that has
// as many connections as it may have is told so with a 429; of those answers at most kRefusedMax linger, and further ones are
// reset, so that whoever is refused holds nothing.
//
// When all places are used by clients that wait for an answer or have not taken theirs, a newcomer is a guest: kGuestsMax of them
// are let in beyond the places, so that money can be brought and an order be cancelled or read whatever a rush holds.
// Nobody knows what a newcomer wants before its first request, so it may bring that one, and is answered once and closed: its
// handler refuses everything else as overloaded (Answers::is_guest()). A guest that has not asked yet makes room for the next one,
// and no request of a guest waits on purpose, and its answer must be taken within kGuestWriteMs, so nobody can hold these places.
// Operators have places of their own in the budget of descriptors.
//
//   newcomer ─▶ a free place ─▶ an idle one of usual, second, first rank ─▶ a free guest's place ─▶ an idle guest's ─▶ reset
#pragma once

#include "door/address_table.h"
#include "shard/answers.h"
#include "shard/connection_table.h"
#include "shard/deadlines.h"
#include "shard/idle_line.h"
#include "shard/metrics.h"

namespace stampede::shard {

// Connections of a shard that were refused for their address and still linger, so that the client can read why.
constexpr uint32_t kRefusedMax = 64;
// Of a shard, beyond all places; net::descriptors_per_shard has them. Each is used for a turn or a commit.
constexpr uint32_t kGuestsMax = 8;

class Roster {
 public:
  Roster(ConnectionTable& table, net::Net& net, Metrics& metrics, Deadlines& deadlines,
         Answers& answers);

  // Where connections of one address are counted, beside those of other shards; must outlive this.
  void count_addresses_in(door::AddressTable& addresses) { addresses_ = &addresses; }
  // Of one address, from now on; 0: as many as it likes.
  void set_address_limit(uint32_t most) { address_limit_ = most; }

  // ---- in ----

  bool is_full() const { return table_.connections.is_full(); }
  bool has_room_for_guest() const;
  // There must be a cell; owns the socket. kNone: it is gone already.
  [[nodiscard]] uint32_t open(net::Socket socket, const Service& service, bool is_guest);
  // Nobody has made room for it.
  void shed(net::Socket socket);
  // The connection that an event is for; kNone: it was closed, or its cell has a new owner.
  [[nodiscard]] uint32_t find(uint64_t token) const;

  // ---- while it is there ----

  // Who owes nobody an answer stands in line to make room, from the moment on from which it owes none.
  void update_idle(uint32_t index);
  // It goes to the end of that line.
  void renew_idle(uint32_t index);
  uint32_t first_idle(IdleKind kind) const { return idle_.first(kind); }
  // It can be read no further: see Answers::refuse_connection().
  void refuse(uint32_t index, const http::Request& request, const http::Refusal& refusal);

  // ---- out ----

  // Orders that are under way stay valid: their buyer finds them by key or by list. Their answers find no place.
  void close(uint32_t index);
  // For a newcomer.
  void evict(uint32_t index);
  // The socket is somebody else's from here on, and watched no more.
  void hand_over(uint32_t index);

 private:
  void count_address(uint32_t index);
  void reset(uint32_t index);
  void release(uint32_t index);

  ConnectionTable& table_;
  net::Net& net_;
  Metrics& metrics_;
  Deadlines& deadlines_;
  Answers& answers_;
  IdleLine idle_;  // public ones
  door::AddressTable* addresses_ = nullptr;
  uint32_t address_limit_ = 0;
  uint32_t refused_open_ = 0;
  uint32_t guests_open_ = 0;
};

}  // namespace stampede::shard
