// The items that have leased most units, so that a catalog of a million costs an operator's graphs no more than one of a
// hundred.
//
// A shard looks at some items every 100 ms, round and round; what it has found at the end of a round stands until the end of the
// next one. So the cost is the same whatever is sold, none of it is on the path of an order, and with up to 4,096 items a newly
// busy one is found within 100 ms, with a million within half a minute.
//
// Looked at by the shard's thread, read by any.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <utility>
#include <vector>

#include "bounds.h"
#include "order.h"
#include "stock/stream_state.h"

namespace stampede::stock {

class BusiestItems {
 public:
  // The shard's thread: the next items, at most `count_max` of them.
  void look(const std::vector<ItemStock>& stocks, ItemId count_max = kLookMax);

  // Any thread: appends the items of the last round with the units that each had leased.
  void add_to(std::vector<std::pair<ItemId, Units>>& found) const;

 private:
  static constexpr ItemId kLookMax = 4096;
  struct Place {
    std::atomic<ItemId> item{kNoItem};
    std::atomic<Units> units{0};
  };

  void end_round();

  ItemId next_ = 0;
  std::vector<std::pair<Units, ItemId>> round_;  // a heap, the least in front
  std::array<Place, bounds::metrics_items_max> places_;
};

// The busiest of all shards, at most `count_max`, in the order of their numbers. `found`: what the shards have; one item may be
// in it several times.
[[nodiscard]] std::vector<ItemId> busiest_of(std::vector<std::pair<ItemId, Units>> found,
                                             size_t count_max);

}  // namespace stampede::stock
