// One part of the connections beside those that it calls, over a network in memory: cells are made by hand, and nothing happens
// but what a test does.
#pragma once

#include <string>
#include <vector>

#include "connections_rig.h"

namespace stampede::shard {

struct PartsRig {
  explicit PartsRig(const ConnectionsSettings& settings = {.connections_max = 128,
                                                           .places_max = 256})
      : table(settings, {}) {}

  // A client whose cell is open.
  struct Peer {
    world::FakeClient* client;
    uint32_t index;
  };
  Peer open(bool is_guest = false, bool is_public = true) {
    world::FakeClient& client = net.connect(listener);
    const net::Socket socket = net.accept(listener).socket;
    const uint32_t index = table.connections.allocate();
    Connection& connection = table.connections[index];
    connection.begin(socket, {.handler = &handler, .is_public = is_public}, is_guest);
    REQUIRE(net.watch(socket, connection.token(index), connection.interest));
    return {&client, index};
  }
  Connection& at(const Peer& peer) { return table.connections[peer.index]; }
  // So many requests that have no answer.
  void ask(const Peer& peer, uint32_t count = 1) {
    for (uint32_t i = 0; i < count; ++i) table.places.add(at(peer).line, peer.index, {});
  }
  void append(const Peer& peer, std::string_view bytes) {
    REQUIRE(at(peer).output.append(table.book, bytes));
  }
  // All of its output; it is gone then.
  std::string output(const Peer& peer) {
    std::string all;
    for (Output& queue = at(peer).output; !queue.empty();) {
      const std::span<const char> front = queue.front();
      all.append(front.begin(), front.end());
      queue.consume(table.book, front.size());
    }
    return all;
  }
  // Nothing is left to be lent.
  void lend_all_buffers() {
    for (const net::ChunkSize size :
         {net::ChunkSize::small, net::ChunkSize::medium, net::ChunkSize::large})
      while (net::Chunk* const chunk = table.buffers().lend(size)) lent.push_back(chunk);
  }

  world::FakeNet net;
  Metrics metrics;
  KeepingHandler handler;
  ConnectionTable table;
  net::Socket listener = net.listen();
  std::vector<net::Chunk*> lent;
};

}  // namespace stampede::shard
