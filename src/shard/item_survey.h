// What every shard knows of some items, for /metrics: the operators' shard asks, and each shard answers in its next turn.
//
// One question is under way at a time. A turn without a question costs a shard one load; a question costs it some ten
// nanoseconds an item, of bounds::metrics_items_max at most.
//
//   operators' shard                                shard
//     ask(items): items, then number ──ring──▶ answer(): figures, then its own number ──ring──▶
//     is_complete() ─▶ sums()
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "stock/item_figures.h"

namespace stampede::shard {

class ItemSurvey {
 public:
  explicit ItemSurvey(uint32_t shards);

  // The operators' shard, when the last question is complete; every shard has to be rung then.
  void ask(std::vector<ItemId> items);
  // Every shard has answered.
  [[nodiscard]] bool is_complete() const;
  [[nodiscard]] std::span<const ItemId> items() const { return items_; }
  // Of all shards together, by items(). When it is complete.
  [[nodiscard]] std::vector<stock::ItemFigures> sums() const;

  // A shard, once a turn: answers a question that it has not seen; true: it did, and the operators' shard has to be rung.
  // `seen` is the shard's own note.
  template <typename FiguresOf>
  bool answer(uint32_t shard, uint64_t& seen, FiguresOf figures_of) {
    const uint64_t number = number_.load(std::memory_order_acquire);
    if (number == seen) [[likely]]
      return false;
    seen = number;
    Answer& mine = *answers_[shard];
    mine.figures.clear();
    for (const ItemId item : items_) mine.figures.push_back(figures_of(item));
    mine.number.store(number, std::memory_order_release);
    return true;
  }

 private:
  struct Answer {
    std::vector<stock::ItemFigures> figures;  // by items_
    std::atomic<uint64_t> number{0};
  };

  std::vector<ItemId>
      items_;  // written while no shard reads it: behind the last answer, before the number
  std::atomic<uint64_t> number_{0};
  std::vector<std::unique_ptr<Answer>> answers_;
};

}  // namespace stampede::shard
