// Requests that wait for units, in a line for each item: first come, first served, and all lines together bounded.
//
// A line is a list through one slab, so a full shard waits in one place and nothing is allocated. Owned by one desk.
#pragma once

#include <span>
#include <vector>

#include "base/clock.h"
#include "base/slab.h"
#include "order.h"

namespace stampede::stock {

class Lines {
 public:
  Lines();

  // To the end of the item's line; false when the lines are full.
  [[nodiscard]] bool push(const OrderRequest& request, Moment now);
  [[nodiscard]] bool is_empty(ItemId item) const { return line(item).head == kNone; }
  [[nodiscard]] Units units(ItemId item) const {
    return line(item).units;
  }                                                      // all that are asked for
  [[nodiscard]] uint32_t size() const { return size_; }  // of all lines

  // Of a line that is not empty.
  [[nodiscard]] const OrderRequest& head(ItemId item) const;
  [[nodiscard]] int64_t head_since_boot_ns(ItemId item) const;
  OrderRequest pop(ItemId item);

  // Items with a line, each once and in no order. One whose line has become empty stays until drop_empty().
  [[nodiscard]] std::span<const ItemId> items() const { return items_; }
  void drop_empty();

 private:
  struct Line {
    uint32_t head = kNone, tail = kNone;
    Units units = 0;
    bool is_listed = false;  // in items_
  };
  struct Waiting {
    OrderRequest request;
    int64_t since_boot_ns;
    uint32_t next;
  };

  const Line& line(ItemId item) const;

  std::vector<Line> lines_;
  Slab<Waiting> waiting_;
  std::vector<ItemId> items_;
  uint32_t size_ = 0;
};

}  // namespace stampede::stock
