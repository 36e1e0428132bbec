#include "shard/scrapes.h"

#include <numeric>

namespace stampede::shard {

bool Scrapes::ask(ReplyTo place, std::vector<ItemId> items) {
  CHECK(items.size() <= bounds::metrics_items_max);
  if (waiting_.size() == bounds::scrapes_max) return false;
  waiting_.push_back({.place = place, .items = std::move(items)});
  if (waiting_.size() == 1) start();
  return true;
}

void Scrapes::start() {
  process_.item_survey.ask(waiting_.front().items);
  process_.ring_all();
}

void Scrapes::turn() {
  if (waiting_.empty() || !process_.item_survey.is_complete()) return;
  const Scrape scrape = std::move(waiting_.front());
  waiting_.pop_front();
  const std::vector<stock::ItemFigures> sums = process_.item_survey.sums();
  if (!waiting_.empty()) start();
  complete_(scrape.place, scrape.items, sums);
}

std::vector<ItemId> items_to_show(const Process& process, ItemId item_count) {
  if (item_count <= bounds::metrics_items_max) {
    std::vector<ItemId> all(item_count);
    std::iota(all.begin(), all.end(), ItemId{0});
    return all;
  }
  std::vector<std::pair<ItemId, Units>> found;
  for (const auto& metrics : process.metrics) metrics->busiest_items.add_to(found);
  return stock::busiest_of(std::move(found), bounds::metrics_items_max);
}

}  // namespace stampede::shard
