// The registry of several nodes of one test, in memory: what each of its transactions promises and no database.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "cluster/registry.h"

namespace stampede::cluster {

class SharedRegistry final : public Registry {
 public:
  // From now on, nothing is answered.
  void set_down(bool is_down) {
    const std::lock_guard lock(mutex_);
    is_down_ = is_down;
  }

  // The next restock changes nothing.
  void fail_restock() {
    const std::lock_guard lock(mutex_);
    fails_restock_ = true;
  }

  // What happens between a look at the terms and the next change of them; once.
  std::function<void()> before_change;

  Status enroll(uint32_t node, const std::string& uuid) override {
    const std::lock_guard lock(mutex_);
    if (is_down_) return down();
    Member& member = members_.try_emplace(node, Member{.node = node, .uuid = uuid}).first->second;
    if (member.uuid != uuid || member.state == MemberState::retired)
      return Error{"node number is taken"};
    return Ok{};
  }

  Result<std::vector<Supply>> add_items(std::span<const Supply> items) override {
    const std::lock_guard lock(mutex_);
    if (is_down_) return down();
    return insert(items, std::nullopt);
  }

  Result<std::vector<Supply>> bring_items(uint32_t node, const std::string& uuid,
                                          std::span<const Supply> items) override {
    if (Status enrolled = enroll(node, uuid); !enrolled) return enrolled.error();
    const std::lock_guard lock(mutex_);
    if (is_down_) return down();
    Member& member = members_.at(node);
    if (member.epoch == 0 && member.counted_from == 0) {
      member.state = MemberState::active;
      member.counted_from = Member::kNotYet;
      changed_in_ = highest_;
    }
    return insert(items, node);
  }

  Result<std::vector<Supply>> supplies() override {
    const std::lock_guard lock(mutex_);
    if (is_down_) return down();
    return supplies_of([](const Member&) { return true; });
  }
  Result<std::vector<Supply>> supplies_in(uint64_t epoch) override {
    const std::lock_guard lock(mutex_);
    if (is_down_) return down();
    return supplies_of([&](const Member& member) { return member.counted_from <= epoch; });
  }

  Result<std::unordered_map<std::string, std::string>> terms(
      std::span<const std::string> items) override {
    const std::lock_guard lock(mutex_);
    if (is_down_) return down();
    std::unordered_map<std::string, std::string> known;
    for (const std::string& item : items)
      if (supplies_.contains(item)) known.emplace(item, terms_[item]);
    return known;
  }

  Result<SoldCodes> codes_of(std::span<const std::string> products) override {
    const std::lock_guard lock(mutex_);
    if (is_down_) return down();
    SoldCodes codes;
    for (const std::string& product : products)
      for (const auto& [item, terms] : terms_)
        if (terms.find("\"product\":\"" + product + "\"") != terms.npos)
          codes.emplace(product, item);
    return codes;
  }

  Result<size_t> change_terms(std::span<const TermsChange> changes) override {
    if (before_change) std::exchange(before_change, {})();
    const std::lock_guard lock(mutex_);
    if (is_down_) return down();
    size_t made = 0;
    for (const TermsChange& change : changes) {
      if (terms_[change.item] != change.from) continue;
      terms_[change.item] = change.to;
      ++made;
    }
    return made;
  }

  Result<EpochPlan> begin_epoch(uint32_t node, uint64_t above) override {
    const std::lock_guard lock(mutex_);
    if (is_down_) return down();
    const auto found = members_.find(node);
    if (found == members_.end() || found->second.state == MemberState::retired)
      return Error{"not a member"};
    found->second.state = MemberState::active;
    std::erase_if(frozen_, [&](const FrozenCount& count) { return count.node == node; });
    highest_ = (((std::max(above, highest_) >> 16) + 1) << 16) | node;
    EpochPlan plan{.epoch = highest_,
                   .members = {},
                   .frozen = frozen_,
                   .supplies = supplies_of([](const Member& member) {
                     return member.counted_from != Member::kNotYet ||
                            member.state == MemberState::active;
                   })};
    for (const auto& [number, member] : members_)
      if (member.state == MemberState::active) plan.members.push_back(number);
    return plan;
  }

  Status enter_epoch(uint32_t node, uint64_t epoch) override {
    const std::lock_guard lock(mutex_);
    if (is_down_) return down();
    Member& member = members_.at(node);
    if (member.state != MemberState::active) return Error{"not active"};
    if (member.epoch != epoch && epoch <= changed_in_) return Error{"the plan is out of date"};
    member.epoch = std::max(member.epoch, epoch);
    member.counted_from = std::min(member.counted_from, epoch);
    return Ok{};
  }

  Result<bool> may_enter(uint32_t node, uint64_t epoch) override {
    const std::lock_guard lock(mutex_);
    if (is_down_) return down();
    const Member& member = members_.at(node);
    return member.state == MemberState::active && (member.epoch == epoch || epoch > changed_in_);
  }

  Result<std::optional<Restocked>> find_restock(const std::string& op_id) override {
    const std::lock_guard lock(mutex_);
    if (is_down_) return down();
    const auto found = restocks_.find(op_id);
    if (found == restocks_.end()) return std::optional<Restocked>();
    return std::optional(Restocked{.is_applied = false,
                                   .delta = found->second.second,
                                   .supply = supplies_.at(found->second.first)});
  }

  bool note_recorded(const std::string&, Units) override { return false; }
  Result<Restocked> restock(const std::string& op_id, const std::string& item, int64_t delta,
                            uint64_t epoch) override {
    const std::lock_guard lock(mutex_);
    if (is_down_ || std::exchange(fails_restock_, false)) return down();
    for (const auto& [number, member] : members_)
      if (delta < 0 && member.epoch > epoch) return Error{"a later epoch has begun"};
    const auto found = supplies_.find(item);
    if (found == supplies_.end()) return Error{"no such item"};
    const bool is_new = restocks_.emplace(op_id, std::pair(item, delta)).second;
    if (is_new) changed_in_ = highest_;
    if (is_new && delta > 0) found->second.supplied += static_cast<Units>(delta);
    if (is_new && delta < 0) found->second.withdrawn += static_cast<Units>(-delta);
    const auto brought = brought_by_.find(item);
    return Restocked{.is_applied = is_new,
                     .delta = delta,
                     .supply = found->second,
                     .is_in_force = brought == brought_by_.end() ||
                                    members_.at(brought->second).counted_from <= epoch};
  }

  Status deactivate(uint32_t node, uint64_t epoch, std::span<const FrozenCount> counts) override {
    const std::lock_guard lock(mutex_);
    if (is_down_) return down();
    Member& member = members_.at(node);
    if (member.state != MemberState::active || member.epoch > epoch) return Error{"has gone on"};
    if (member.counted_from > epoch && epoch != kCountsOfLog) return Error{not_counted(node)};
    member.counted_from = std::min(member.counted_from, highest_ + 1);
    member.state = MemberState::inactive;
    frozen_.insert(frozen_.end(), counts.begin(), counts.end());
    return Ok{};
  }

  Status presume(uint32_t node, uint64_t epoch, std::span<const FrozenCount> counts) override {
    {
      const std::lock_guard lock(mutex_);
      Member& member = members_.at(node);
      member.counted_from = std::min(member.counted_from, epoch);
    }
    return deactivate(node, epoch, counts);
  }

  Status retire(uint32_t node, std::span<const FrozenCount> counts) override {
    const std::lock_guard lock(mutex_);
    if (is_down_) return down();
    changed_in_ = highest_;
    members_.at(node).state = MemberState::retired;
    std::erase_if(frozen_, [&](const FrozenCount& count) { return count.node == node; });
    frozen_.insert(frozen_.end(), counts.begin(), counts.end());
    return Ok{};
  }

  Result<std::vector<Member>> members() override {
    const std::lock_guard lock(mutex_);
    if (is_down_) return down();
    std::vector<Member> all;
    for (const auto& [number, member] : members_) all.push_back(member);
    return all;
  }

  Result<std::vector<FrozenCount>> frozen() override {
    const std::lock_guard lock(mutex_);
    return frozen_;
  }

 private:
  static Error down() { return Error{"the database does not answer"}; }
  std::vector<Supply> insert(std::span<const Supply> items, std::optional<uint32_t> node) {
    std::vector<Supply> standing;
    for (const Supply& item : items) {
      const auto [place, is_new] = supplies_.try_emplace(item.item, item);
      if (is_new) changed_in_ = highest_;
      if (is_new && node) brought_by_[item.item] = *node;
      standing.push_back(place->second);
    }
    return standing;
  }
  // Of all items but those whose bringers do not do.
  template <typename Does>
  std::vector<Supply> supplies_of(Does does) const {
    std::vector<Supply> all;
    for (const auto& [item, supply] : supplies_) {
      const auto brought = brought_by_.find(item);
      if (brought == brought_by_.end() || does(members_.at(brought->second))) all.push_back(supply);
    }
    return all;
  }

  std::mutex mutex_;
  bool is_down_ = false, fails_restock_ = false;
  uint64_t highest_ = 0;
  // The newest epoch when counters last changed: plans up to it are out of date.
  uint64_t changed_in_ = 0;
  std::map<uint32_t, Member> members_;
  std::map<std::string, Supply> supplies_;
  std::map<std::string, uint32_t> brought_by_;                       // by item
  std::map<std::string, std::string> terms_;                         // by item
  std::map<std::string, std::pair<std::string, int64_t>> restocks_;  // by op_id: item and delta
  std::vector<FrozenCount> frozen_;
};

}  // namespace stampede::cluster
