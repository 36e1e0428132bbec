// How many connections may be open in all, so that descriptors are left for the server itself: the order log, snapshots
// and the database take theirs while it runs, and an order that cannot be logged is refused, however many clients are
// connected. Some places more are kept for the operators, who must get in exactly when buyers have taken all, and for guests
// (shard/roster.h), who may then bring a payment:
//
//   | connections: everybody | preferred: operators and guests | the server's own
//
// Guests count themselves, each shard its own, and so leave operators theirs.
//
// One for all shards; any thread. Counting costs one atomic operation for each connection and none for a request.
#pragma once

#include <atomic>
#include <cstdint>

namespace stampede::net {

// What the server keeps of the limit of descriptors. A shard has its log's segments, a snapshot under way, the disk, the
// net with its ring and doorbells; the process its database, lock and listeners. Measured: 11 and 9 a shard at rest.
constexpr uint32_t descriptors_own = 40;
// Of clients beyond all places (shard/roster.h).
constexpr uint32_t descriptors_of_guests_per_shard = 8;
constexpr uint32_t descriptors_per_shard = 19 + descriptors_of_guests_per_shard;
constexpr uint32_t descriptors_per_shard_of_redis = 4;
constexpr uint32_t connections_min = 16;       // with fewer there is no server
constexpr uint32_t operator_connections = 16;  // beyond those of everybody

class DescriptorBudget {
 public:
  // `connections` places for everybody and `preferred` beyond them.
  DescriptorBudget(uint32_t connections, uint32_t preferred);

  // False: no place is free. Says so in one line when the last one is taken, and again only after an eighth of them
  // was free in between.
  [[nodiscard]] bool take(bool is_preferred);
  // For somebody in whose place another one is closed at once; true: it may also stay, as a guest.
  [[nodiscard]] bool take_beyond() {
    const uint32_t places = connections_.load(std::memory_order_relaxed) + preferred_;
    return open_.fetch_add(1, std::memory_order_relaxed) < places;
  }
  void give();
  // Fewer places for everybody from now on; 0, or more than at the start: as many as then. Whoever is in stays.
  void limit(uint32_t connections);

  uint32_t open() const { return open_.load(std::memory_order_relaxed); }

 private:
  void note_full();

  const uint32_t connections_max_;
  std::atomic<uint32_t> connections_;
  const uint32_t preferred_;
  std::atomic<uint32_t> open_{0};
  std::atomic<bool> has_said_full_{false};
};

}  // namespace stampede::net
