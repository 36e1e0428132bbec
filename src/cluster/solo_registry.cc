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

Restocked SoloRegistry::restocked(const Supply& in_force, int64_t delta, bool is_applied) const {
  const auto agreed = supplied_.find(in_force.item);
  Restocked answer{.is_applied = is_applied, .delta = delta, .supply = in_force};
  if (agreed != supplied_.end()) answer.supply.supplied = agreed->second;
  answer.is_in_force = answer.supply.supplied == in_force.supplied;
  return answer;
}

Result<std::optional<Restocked>> SoloRegistry::find_restock(const std::string& op_id) {
  const auto found = restocks_.find(op_id);
  if (found == restocks_.end()) return std::optional<Restocked>();
  return std::optional(restocked(*find(found->second.item), found->second.delta, false));
}

Result<Restocked> SoloRegistry::restock(const std::string& op_id, const std::string& item,
                                        int64_t delta, uint64_t) {
  Supply* const supply = find(item);
  if (supply == nullptr) return Error{"no such item: " + item};
  if (const auto known = restocks_.find(op_id); known != restocks_.end()) {
    if (known->second.item != item || known->second.delta != delta)
      return Error{"op_id " + op_id + " was used for another change"};
    return restocked(*supply, delta, false);
  }
  const Units units = delta < 0 ? 0 - static_cast<Units>(delta) : static_cast<Units>(delta);
  const Units agreed = restocked(*supply, delta, false).supply.supplied;
  if (delta > 0 && agreed + units > bounds::shared_supply_max)
    return Error{item + ": more units than the ledger can count exactly"};
  if (delta < 0 && units > agreed - supply->withdrawn)
    return Error{"no more units of " + item + " can be withdrawn than were supplied"};
  if (delta < 0)
    supply->withdrawn += units;
  else
    supplied_[item] = agreed + units;
  restocks_.emplace(op_id, Change{.item = item, .delta = delta});
  return restocked(*supply, delta, true);
}

bool SoloRegistry::note_recorded(const std::string& item, Units supplied) {
  Supply* const supply = find(item);
  if (supply == nullptr || supplied <= supply->supplied) return false;
  supply->supplied = supplied;
  return true;
}

Result<std::vector<Member>> SoloRegistry::members() {
  return std::vector<Member>{self_};
}

}  // namespace stampede::cluster
