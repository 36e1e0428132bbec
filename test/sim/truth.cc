#include "truth.h"

#include "world_terms.h"

namespace stampede::sim {

void Truth::look(Host& host, int64_t now_ns) {
  const auto& registered = host.node().shard(0).state().items();
  for (uint32_t number = 0; number < items_.size() && number < registered.size(); ++number) {
    Item& item = items_[number];
    uint64_t reserved = 0, paid = 0;
    for (uint32_t i = 0; i < host.shards(); ++i) {
      const stock::ItemStock& stock = host.node().shard(i).state().stock(number);
      reserved += stock.reserved;
      paid += stock.paid;
    }
    item.supplied = registered[number].total();
    item.paid = paid;
    if (reserved + paid > item.supplied) {
      history_.broken("oversold: " + item_code(number) + " has " + std::to_string(item.supplied) +
                      " units, " + std::to_string(reserved) + " reserved and " +
                      std::to_string(paid) + " paid");
      return;
    }
    item.unsold = item.supplied - reserved - paid;
    for (uint32_t quantity = 1; quantity <= kQuantityMax; ++quantity)
      if (item.unsold < quantity) item.short_ns[quantity] = now_ns;
  }
}

bool Truth::was_short_since(uint32_t item, uint32_t quantity, int64_t since_ns) const {
  return items_[item].short_ns[quantity] >= since_ns;
}

}  // namespace stampede::sim
