// The code of every item, for the thread that writes rows.
//
// Records name an item by its dense number; only shard 0's log has its code. The
// database shows codes to people, so every reader and writer of item records fills this registry
// before an order of that item can exist: recovery at start, shard 0 when an operator adds an item,
// the offline tools from stream 0's snapshot and log.
//
// Any thread. A code never changes once it is set, so a view of it stays valid as long as the
// registry.
#pragma once

#include <deque>
#include <mutex>
#include <string>
#include <string_view>

#include "order.h"

namespace stampede::drain {

class ItemNames {
 public:
  // Setting the same code again does nothing; an item cannot be renamed (CHECK).
  void set(ItemId item, std::string_view code);

  // Empty when the item is not known (yet).
  [[nodiscard]] std::string_view code(ItemId item) const;

 private:
  mutable std::mutex mutex_;
  std::deque<std::string> codes_;  // a deque, because its elements never move
};

}  // namespace stampede::drain
