// Scrapes of /metrics that wait for the figures of their items, one after the other (item_survey.h).
//
// Belongs to the operators' shard.
#pragma once

#include <deque>
#include <functional>
#include <span>
#include <vector>

#include "shard/process.h"
#include "shard/request_handler.h"

namespace stampede::shard {

class Scrapes {
 public:
  using Complete =
      std::function<void(ReplyTo, std::span<const ItemId>, std::span<const stock::ItemFigures>)>;

  Scrapes(Process& process, Complete complete)
      : process_(process), complete_(std::move(complete)) {}

  // Figures of these items, at most bounds::metrics_items_max. False: too many scrapes wait.
  [[nodiscard]] bool ask(ReplyTo place, std::vector<ItemId> items);
  // Completes what every shard has answered. Once per turn.
  void turn();
  bool has_some() const { return !waiting_.empty(); }

 private:
  struct Scrape {
    ReplyTo place;
    std::vector<ItemId> items;
  };

  void start();

  Process& process_;
  Complete complete_;
  std::deque<Scrape> waiting_;  // the first one is under way
};

// What is shown when nobody names items: all of them, or the busiest if there are more than are shown.
[[nodiscard]] std::vector<ItemId> items_to_show(const Process& process, ItemId item_count);

}  // namespace stampede::shard
