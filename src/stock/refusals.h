// Why orders and links were refused, by item and reason, for the items that refuse most: what an operator looks at when buyers
// complain.
//
// A shard counts the refusals of every item, and by reason those of 128 of them. Which ones: an item gets a row as long as
// there are free ones; then one takes the row of the item with the fewest refusals when it has had more than twice as many.
// Its counts by reason begin there. So a sale of up to 128 items is counted in full, and in a larger one the busiest are.
//
// Written by the shard's thread, read by any: each count is a relaxed atomic with one writer. A reader that finds a row taken
// by another item meanwhile leaves it out.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <vector>

#include "base/reserved.h"
#include "bounds.h"
#include "order.h"

namespace stampede::stock {

// A reason is a verdict; rate_limited is one reason for each limit.
constexpr unsigned kRefusalReasons = kVerdictCount + kLimitCount;
[[nodiscard]] constexpr unsigned reason_of(Verdict verdict, Limit limit) {
  const bool has_limit = verdict == Verdict::rate_limited && limit != Limit::none;
  return has_limit ? kVerdictCount + static_cast<unsigned>(limit) : static_cast<unsigned>(verdict);
}

// What one or more shards have counted of an item.
struct ItemRefusals {
  ItemId item = kNoItem;
  std::array<uint64_t, kRefusalReasons> by_reason{};
  uint64_t total() const;
};

class Refusals {
 public:
  Refusals() : items_(bounds::item_count_max) {}

  // The shard's thread.
  void count(ItemId item, Verdict verdict, Limit limit);

  // Any thread: adds what is counted to `sums`, one an item; those that have none yet are added at its end.
  void add_to(std::vector<ItemRefusals>& sums) const;

 private:
  struct Row {
    std::atomic<ItemId> item{kNoItem};
    std::array<std::atomic<uint64_t>, kRefusalReasons> by_reason{};
  };
  struct Item {
    uint32_t refusals;  // saturates
    uint32_t row;       // index + 1; 0: none
  };

  uint32_t row_for(ItemId item);
  void give_row(uint32_t row, ItemId item);

  Reserved<Item> items_;
  std::array<Row, bounds::refusal_items> rows_;
  uint32_t rows_used_ = 0;
  uint32_t fewest_ = 0;  // no item with a row has fewer refusals
};

// Of all shards: the items with the most refusals, most first, at most `count_max`.
[[nodiscard]] std::vector<ItemRefusals> busiest(std::vector<ItemRefusals> sums, size_t count_max);

}  // namespace stampede::stock
