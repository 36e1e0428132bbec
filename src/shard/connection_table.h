// What the parts of a shard's connections work on: cells of connections and of their unanswered requests, the memory of
// their buffers, the moment of the turn, and whether the server stops. Each part has its own subject and its own lists:
//
//   Connections      who is let in, a turn's order, the end
//     RequestReader    socket → bytes → requests → their handler
//     Roster           cells from accept to close, and who makes room for whom
//     Answers          what handlers see: places and their answers, in the order of the requests
//       Renderer         an answer → bytes
//     Sender           bytes → socket, in pieces of bounded size
//     FlowControl      who is read now, and who waits for a place, a buffer or a turn
//     Deadlines        what each client is waited for, and until when
//
// A part calls those below it and none above; what follows for those above it returns.
#pragma once

#include "base/clock.h"
#include "shard/connection.h"

namespace stampede::shard {

struct ConnectionsSettings {
  uint32_t shard = 0;
  http::Origins origins = {};  // of pages that may read public answers
  uint32_t connections_max = bounds::connections_max;
  uint32_t places_max = bounds::places_max;
  // Buffers of each size.
  net::BufferPool::Counts chunks_max = {bounds::chunks_small_max, bounds::chunks_medium_max,
                                        bounds::chunks_large_max};
};

struct ConnectionTable {
  ConnectionTable(const ConnectionsSettings& of, Moment at)
      : settings(of),
        now(at),
        connections(of.connections_max),
        places(of.shard, of.places_max),
        book(of.chunks_max) {}

  net::BufferPool& buffers() { return book.buffers(); }

  const ConnectionsSettings settings;
  Moment now;  // of this turn
  Slab<Connection> connections;
  Places places;
  OutputBook book;
  // No further requests; see Connections::begin_stop().
  bool is_stopping = false;
  bool passes_on = false;  // and connections are another process's soon
};

}  // namespace stampede::shard
