#include "shard/item_survey.h"

#include <algorithm>

#include "base/check.h"

namespace stampede::shard {

ItemSurvey::ItemSurvey(uint32_t shards) {
  for (uint32_t shard = 0; shard < shards; ++shard) answers_.push_back(std::make_unique<Answer>());
}

void ItemSurvey::ask(std::vector<ItemId> items) {
  CHECK(is_complete());
  items_ = std::move(items);
  number_.fetch_add(1, std::memory_order_release);
}

bool ItemSurvey::is_complete() const {
  const uint64_t number = number_.load(std::memory_order_relaxed);
  return std::ranges::all_of(answers_, [&](const auto& answer) {
    return answer->number.load(std::memory_order_acquire) == number;
  });
}

std::vector<stock::ItemFigures> ItemSurvey::sums() const {
  std::vector<stock::ItemFigures> sums(items_.size());
  for (const auto& answer : answers_)
    for (size_t i = 0; i < sums.size(); ++i) sums[i] += answer->figures[i];
  return sums;
}

}  // namespace stampede::shard
