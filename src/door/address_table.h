// The number of each address's requests in its window, and of its open connections: one table for all shards of the
// process.
//
// It is shared because an allowance of one address must not be multiplied by the number of shards, and the kernel deals
// the connections of one address to all of them. Asking a home shard of the address instead would cost a message and an
// answer for each request, before it is known whether the request is worth one.
//
//   hash ──▶ set of 8 cells, 128 bytes:  ┌ group:64 │ began:34 │ requests:30 ┐ × 8       of requests
//                                        └ group:64 │ connections:64          ┘ × 8      of connections
//
// A cell is sixteen bytes that change as one (cmpxchg16b): its count is exactly that of its address, at every moment and on
// every shard, but for an address that two shards meet for the first time in the same instant (below). No lock, no order between cells, no allocation; memory comes page by page as it is first used (64 MiB for
// requests, 16 MiB for connections, never more). A request costs one look at a set, mostly in the cache, and one exchange;
// one that is over its limit only looks, so that a flood from one address does not pull its cell from core to core.
//
// A window is fixed: it begins with the first request that is counted. So exactly so many requests pass in it, and the refused
// of different addresses do not come back in the same millisecond. Shards read their clocks a turn apart: one whose clock is
// behind the beginning counts in that window too. Beginnings are kept modulo 198 days.
//
// When a set of requests is full, the newcomer takes a cell whose window is over; else that of the address which has asked
// least. So:
//   - no address is ever refused for the requests of others: a count never holds another address's requests;
//   - an address is forgotten only while eight others of its set have asked as often in their windows; its count then begins
//     anew, so it may get more than its allowance. To reach that, a client needs eight more addresses of one set at their
//     limits, and gets more by those themselves. The hash is keyed: no client can choose addresses that share a set;
//   - four million addresses in one window are counted exactly but for uneven sets. Of ten million those that ask most are.
// Two shards that meet an address for the first time in the same instant may give it two cells. The later one is never found
// again, and its count of that instant is lost.
//
// Open connections are never forgotten. When all eight cells of a set are taken, by eight addresses with connections open, a
// ninth's are let in without being counted.
//
// Pure but for its memory; any thread.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/reserved.h"
#include "door/address.h"
#include "door/limits.h"

namespace stampede::door {

class AddressTable {
 public:
  static constexpr uint32_t kWays = 8;
  static constexpr uint32_t kRequestSets = 1u << 19;
  static constexpr uint32_t kConnectionSets = 1u << 17;

  // `secret` keys the hash; sets are powers of two.
  explicit AddressTable(uint64_t secret, uint32_t request_sets = kRequestSets,
                        uint32_t connection_sets = kConnectionSets);

  // Counts a request of this address. 0: it is within the rate; otherwise it was not counted, and in so many milliseconds,
  // not earlier, the next one is within it. A request without an address (kNoGroup) is never refused.
  [[nodiscard]] uint32_t count_request(AddressGroup group, const Rate& rate, int64_t boot_ns);

  enum class Admission : uint8_t {
    counted,    // give_connection() when it closes
    uncounted,  // no cell is free, or no address: it may come in and is not given back
    refused,    // `most` are open
  };
  [[nodiscard]] Admission take_connection(AddressGroup group, uint32_t most);
  void give_connection(AddressGroup group);

  // Cells of requests that were ever used, of addresses in all windows; it ends at the number of cells.
  uint64_t known() const { return known_.load(std::memory_order_relaxed); }
  uint64_t known_max() const { return requests_.capacity(); }
  // Addresses that were forgotten before their window was over.
  uint64_t forgotten() const { return forgotten_.load(std::memory_order_relaxed); }

 private:
  struct alignas(16) Cell {
    uint64_t group;  // 0: free
    uint64_t state;
  };
  struct Set {
    Cell* cells;
    uint64_t hash;
  };
  static Cell look(const Cell& cell);
  static bool exchange(Cell& cell, const Cell& seen, const Cell& next);
  static Cell* find(const Set& set, AddressGroup group);
  Set set_of(Reserved<Cell>& cells, AddressGroup group) const;
  static Cell* victim(const Set& set, const Rate& rate, uint64_t now_ms);
  bool remember(const Set& set, const Cell& first, const Rate& rate, uint64_t now_ms);

  const uint64_t secret_;
  Reserved<Cell> requests_, connections_;
  std::atomic<uint64_t> known_{0}, forgotten_{0};
};

}  // namespace stampede::door
