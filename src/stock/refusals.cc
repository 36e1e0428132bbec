#include "stock/refusals.h"

#include <algorithm>
#include <numeric>

namespace stampede::stock {

uint64_t ItemRefusals::total() const {
  return std::accumulate(by_reason.begin(), by_reason.end(), uint64_t{0});
}

void Refusals::count(ItemId item, Verdict verdict, Limit limit) {
  Item& counted = items_[item];
  counted.refusals += counted.refusals != UINT32_MAX;
  const uint32_t row = counted.row != 0 ? counted.row : row_for(item);
  if (row == 0) return;
  std::atomic<uint64_t>& count = rows_[row - 1].by_reason[reason_of(verdict, limit)];
  count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

// A row for an item that has none, or 0. Counts only grow, so the fewest of a while ago is a bound for today's: the rows are
// looked through only when an item has passed it, and then it rises or the item gets its row.
uint32_t Refusals::row_for(ItemId item) {
  if (rows_used_ < rows_.size()) {
    give_row(++rows_used_, item);
    return rows_used_;
  }
  const uint32_t mine = items_[item].refusals;
  if (mine / 2 <= fewest_) return 0;
  const auto refusals_of = [&](const Row& row) {
    return items_[row.item.load(std::memory_order_relaxed)].refusals;
  };
  const auto least = std::ranges::min_element(rows_, {}, refusals_of);
  fewest_ = refusals_of(*least);
  if (mine / 2 <= fewest_) return 0;
  const auto row = static_cast<uint32_t>(least - rows_.begin()) + 1;
  items_[least->item.load(std::memory_order_relaxed)].row = 0;
  give_row(row, item);
  return row;
}

void Refusals::give_row(uint32_t row, ItemId item) {
  Row& given = rows_[row - 1];
  given.item.store(kNoItem, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_release);
  for (auto& count : given.by_reason) count.store(0, std::memory_order_relaxed);
  given.item.store(item, std::memory_order_release);
  items_[item].row = row;
}

void Refusals::add_to(std::vector<ItemRefusals>& sums) const {
  for (const Row& row : rows_) {
    ItemRefusals read{.item = row.item.load(std::memory_order_acquire)};
    if (read.item == kNoItem) continue;
    for (unsigned reason = 0; reason < kRefusalReasons; ++reason)
      read.by_reason[reason] = row.by_reason[reason].load(std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_acquire);
    if (row.item.load(std::memory_order_relaxed) != read.item) continue;
    const auto known = std::ranges::find(sums, read.item, &ItemRefusals::item);
    if (known == sums.end()) {
      sums.push_back(read);
      continue;
    }
    for (unsigned reason = 0; reason < kRefusalReasons; ++reason)
      known->by_reason[reason] += read.by_reason[reason];
  }
}

std::vector<ItemRefusals> busiest(std::vector<ItemRefusals> sums, size_t count_max) {
  std::ranges::sort(sums, std::greater{}, &ItemRefusals::total);
  if (sums.size() > count_max) sums.resize(count_max);
  return sums;
}

}  // namespace stampede::stock
