// What is true of the stock at every moment, read out of the nodes' memory between two turns, where clients cannot look.
#pragma once

#include <cstdint>
#include <vector>

#include "history.h"
#include "host.h"

namespace stampede::sim {

class Truth {
 public:
  Truth(const Plan& plan, History& history) : history_(history), items_(plan.items) {}

  // After each step of the host. Sums of all streams: never more than was supplied.
  void look(Host& host, int64_t now_ns);

  // Was there a moment at or after `since_ns` at which fewer than `quantity` units of the item were unsold?
  [[nodiscard]] bool was_short_since(uint32_t item, uint32_t quantity, int64_t since_ns) const;
  // As of the last look.
  [[nodiscard]] uint64_t supplied(uint32_t item) const { return items_[item].supplied; }
  [[nodiscard]] uint64_t paid(uint32_t item) const { return items_[item].paid; }
  [[nodiscard]] uint64_t unsold(uint32_t item) const { return items_[item].unsold; }

 private:
  static constexpr uint32_t kQuantityMax = 5;
  struct Item {
    uint64_t supplied = 0, paid = 0, unsold = 0;
    // By quantity: the last moment at which fewer units than that were unsold.
    int64_t short_ns[kQuantityMax + 1] = {-1, -1, -1, -1, -1, -1};
  };

  History& history_;
  std::vector<Item> items_;
};

}  // namespace stampede::sim
