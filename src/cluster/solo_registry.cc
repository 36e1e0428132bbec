#include "cluster/solo_registry.h"

#include <algorithm>

namespace stampede::cluster {

Status SoloRegistry::enroll(uint32_t node, const std::string& uuid) {
  self_ = {.node = node, .uuid = uuid, .state = MemberState::active, .epoch = 0};
  return Ok{};
}

Supply* SoloRegistry::find(const std::string& item) {
  const auto found = std::find_if(supplies_.begin(), supplies_.end(),
                                  [&](const Supply& supply) { return supply.item == item; });
  return found == supplies_.end() ? nullptr : &*found;
}

Result<std::vector<Supply>> SoloRegistry::add_items(std::span<const Supply> items) {
  std::vector<Supply> standing;
  for (const Supply& item : items) {
    if (find(item.item) == nullptr) supplies_.push_back(item);
    standing.push_back(*find(item.item));
  }
  return standing;
}

// Numbers of the log's promises only grow, so the next one was never used by this node, and there is no other.
Result<EpochPlan> SoloRegistry::begin_epoch(uint32_t node, uint64_t above) {
  self_.epoch = (((std::max(above, self_.epoch) >> 16) + 1) << 16) | node;
  return EpochPlan{.epoch = self_.epoch, .members = {node}, .frozen = {}, .supplies = supplies_};
}

Result<std::optional<Restocked>> SoloRegistry::find_restock(const std::string& op_id) {
  const auto found = restocks_.find(op_id);
  if (found == restocks_.end()) return std::optional<Restocked>();
  return std::optional(Restocked{
      .is_applied = false, .delta = found->second.delta, .supply = *find(found->second.item)});
}

Result<Restocked> SoloRegistry::restock(const std::string& op_id, const std::string& item,
                                        int64_t delta, uint64_t) {
  Supply* const supply = find(item);
  if (supply == nullptr) return Error{"no such item: " + item};
  if (const auto known = restocks_.find(op_id); known != restocks_.end()) {
    if (known->second.item != item || known->second.delta != delta)
      return Error{"op_id " + op_id + " was used for another change"};
    return Restocked{.is_applied = false, .delta = delta, .supply = *supply};
  }
  const Units units = delta < 0 ? 0 - static_cast<Units>(delta) : static_cast<Units>(delta);
  if (delta > 0 && supply->supplied + units > bounds::shared_supply_max)
    return Error{item + ": more units than the ledger can count exactly"};
  if (delta < 0 && units > supply->supplied - supply->withdrawn)
    return Error{"no more units of " + item + " can be withdrawn than were supplied"};
  (delta < 0 ? supply->withdrawn : supply->supplied) += units;
  restocks_.emplace(op_id, Change{.item = item, .delta = delta});
  return Restocked{.is_applied = true, .delta = delta, .supply = *supply};
}

Result<std::vector<Member>> SoloRegistry::members() {
  return std::vector<Member>{self_};
}

}  // namespace stampede::cluster
