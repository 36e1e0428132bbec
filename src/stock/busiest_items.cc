#include "stock/busiest_items.h"

#include <algorithm>
#include <functional>

namespace stampede::stock {

void BusiestItems::look(const std::vector<ItemStock>& stocks, ItemId count_max) {
  const auto end = static_cast<ItemId>(std::min<size_t>(stocks.size(), size_t{next_} + count_max));
  for (; next_ < end; ++next_) {
    const std::pair<Units, ItemId> one{stocks[next_].accepted, next_};
    if (one.first == 0) continue;
    if (round_.size() == places_.size()) {
      if (one < round_.front()) continue;
      std::ranges::pop_heap(round_, std::greater{});
      round_.pop_back();
    }
    round_.push_back(one);
    std::ranges::push_heap(round_, std::greater{});
  }
  if (next_ >= stocks.size()) end_round();
}

// A reader in between may see an item twice or not at all: a graph's next point is right again.
void BusiestItems::end_round() {
  for (size_t place = 0; place < places_.size(); ++place) {
    const bool is_taken = place < round_.size();
    places_[place].units.store(is_taken ? round_[place].first : 0, std::memory_order_relaxed);
    places_[place].item.store(is_taken ? round_[place].second : kNoItem, std::memory_order_relaxed);
  }
  round_.clear();
  next_ = 0;
}

void BusiestItems::add_to(std::vector<std::pair<ItemId, Units>>& found) const {
  for (const Place& place : places_) {
    const ItemId item = place.item.load(std::memory_order_relaxed);
    if (item != kNoItem) found.emplace_back(item, place.units.load(std::memory_order_relaxed));
  }
}

std::vector<ItemId> busiest_of(std::vector<std::pair<ItemId, Units>> found, size_t count_max) {
  std::ranges::sort(found);
  std::vector<std::pair<Units, ItemId>> sums;
  for (const auto& [item, units] : found) {
    if (sums.empty() || sums.back().second != item) sums.emplace_back(0, item);
    sums.back().first += units;
  }
  std::ranges::sort(sums, std::greater{});
  if (sums.size() > count_max) sums.resize(count_max);
  std::vector<ItemId> items;
  for (const auto& [units, item] : sums) items.push_back(item);
  std::ranges::sort(items);
  return items;
}

}  // namespace stampede::stock
