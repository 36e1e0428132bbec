// The registry of a node that shares its Redis with no other, because there is no PostgreSQL to share a registry in: this node
// is the only member, and all that it needs is in its own order log. So units that come on sale count when that log has them: a
// process that dies before would leave sold units whose supply is in no log.
//
// A second node at the same Redis is no member of the epoch: it cannot join, and reports that as its problem.
#pragma once

#include <string>
#include <unordered_map>

#include "cluster/registry.h"

namespace stampede::cluster {

class SoloRegistry final : public Registry {
 public:
  // `supplies`: of the items in the order log.
  explicit SoloRegistry(std::vector<Supply> supplies) : supplies_(std::move(supplies)) {}

  Status enroll(uint32_t node, const std::string& uuid) override;
  Result<std::vector<Supply>> add_items(std::span<const Supply> items) override;
  // No other node can have begun an epoch without its counters.
  Result<std::vector<Supply>> bring_items(uint32_t, const std::string&,
                                          std::span<const Supply> items) override {
    return add_items(items);
  }
  Result<std::vector<Supply>> supplies() override { return supplies_; }
  Result<std::vector<Supply>> supplies_in(uint64_t) override { return supplies_; }
  bool note_recorded(const std::string& item, Units supplied) override;
  Result<SoldCodes> codes_of(std::span<const std::string>) override { return SoldCodes(); }
  // No other node has terms to compare.
  Result<std::unordered_map<std::string, std::string>> terms(
      std::span<const std::string>) override {
    return std::unordered_map<std::string, std::string>{};
  }
  Result<size_t> change_terms(std::span<const TermsChange>) override { return size_t{0}; }
  Result<EpochPlan> begin_epoch(uint32_t node, uint64_t above) override;
  Status enter_epoch(uint32_t, uint64_t) override { return Ok{}; }
  Result<bool> may_enter(uint32_t, uint64_t) override { return true; }
  Result<std::optional<Restocked>> find_restock(const std::string& op_id) override;
  Result<Restocked> restock(const std::string& op_id, const std::string& item, int64_t delta,
                            uint64_t epoch) override;
  Status deactivate(uint32_t, uint64_t, std::span<const FrozenCount>) override { return alone(); }
  Status presume(uint32_t, uint64_t, std::span<const FrozenCount>) override { return alone(); }
  Status retire(uint32_t, std::span<const FrozenCount>) override { return alone(); }
  Result<std::vector<Member>> members() override;
  Result<std::vector<FrozenCount>> frozen() override { return std::vector<FrozenCount>{}; }

 private:
  static Error alone() {
    return Error{"this node shares its ledger with no other; several nodes need --db postgres://…"};
  }
  struct Change {
    std::string item;
    int64_t delta = 0;
  };
  Supply* find(const std::string& item);
  [[nodiscard]] Restocked restocked(const Supply& in_force, int64_t delta, bool is_applied) const;

  std::vector<Supply> supplies_;  // in force
  std::unordered_map<std::string, Units>
      supplied_;  // by item; agreed on, and more than is in force
  std::unordered_map<std::string, Change> restocks_;  // by op_id; the log knows older ones
  Member self_;
};

}  // namespace stampede::cluster
