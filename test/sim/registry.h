// The registry of several nodes in memory, with the answers of cluster::PostgresRegistry, and its faults: a database that is
// away, and a commit whose outcome its caller does not learn.
//
//   RegistryDatabase database;                     what all nodes share
//   SimulatedRegistry registry(database, node);    one node's way to it
//
// The same contract as PostgreSQL's is tested (test/unit/cluster/registry_contract.h).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "cluster/registry.h"

namespace stampede::sim {

struct RegistryRows {
  struct Item {
    Units supplied = 0, withdrawn = 0;
    std::string terms;
    std::optional<uint32_t> brought_by;  // the node that sold it alone before
  };
  struct Restock {
    std::string item;
    int64_t delta = 0;
  };
  std::map<uint32_t, cluster::Member> members;
  std::map<uint64_t, bool> epochs;  // each, and whether its plan is out of date
  std::map<std::string, Item> items;
  std::map<std::string, Restock> restocks;  // by op_id
  // By node, stream and item: accepted and returned.
  std::map<std::tuple<uint32_t, std::string, std::string>, std::pair<Units, Units>> frozen;
};

struct RegistryDatabase {
  RegistryRows rows;

  // ---- faults
  bool is_away = false;        // for everybody
  std::set<uint32_t> cut_off;  // nodes that do not reach it
  // Asked at each change that a node makes: what becomes of its commit.
  enum class Commit : uint8_t { done, unknown_and_done, unknown_and_not_done };
  std::function<Commit(uint32_t node)> commit;
};

class SimulatedRegistry final : public cluster::Registry {
 public:
  using Counts = std::span<const cluster::FrozenCount>;
  using Texts = std::unordered_map<std::string, std::string>;

  // The database outlives this.
  SimulatedRegistry(RegistryDatabase& database, uint32_t node)
      : database_(database), rows_(database.rows), node_(node) {}

  Status enroll(uint32_t node, const std::string& uuid) override;
  Result<std::vector<cluster::Supply>> add_items(std::span<const cluster::Supply> items) override;
  Result<std::vector<cluster::Supply>> bring_items(uint32_t node, const std::string& uuid,
                                                   std::span<const cluster::Supply> items) override;
  Result<std::vector<cluster::Supply>> supplies() override;
  Result<std::vector<cluster::Supply>> supplies_in(uint64_t epoch) override;
  Result<Texts> terms(std::span<const std::string> items) override;
  Result<SoldCodes> codes_of(std::span<const std::string> products) override;
  Result<size_t> change_terms(std::span<const cluster::TermsChange> changes) override;
  Result<cluster::EpochPlan> begin_epoch(uint32_t node, uint64_t above) override;
  Status enter_epoch(uint32_t node, uint64_t epoch) override;
  Result<bool> may_enter(uint32_t node, uint64_t epoch) override;
  Result<std::optional<cluster::Restocked>> find_restock(const std::string& op_id) override;
  bool note_recorded(const std::string&, Units) override { return false; }
  Result<cluster::Restocked> restock(const std::string& op_id, const std::string& item,
                                     int64_t delta, uint64_t epoch) override;
  Status deactivate(uint32_t node, uint64_t epoch, Counts counts) override;
  Status presume(uint32_t node, uint64_t epoch, Counts counts) override;
  Status retire(uint32_t node, Counts counts) override;
  Result<std::vector<cluster::Member>> members() override;
  Result<std::vector<cluster::FrozenCount>> frozen() override;

 private:
  // A transaction: an Error of `body` changes nothing.
  template <typename Value>
  Result<Value> read(const std::function<Result<Value>()>& body);
  template <typename Value>
  Result<Value> write(const std::function<Result<Value>()>& body);

  bool is_away() const { return database_.is_away || database_.cut_off.contains(node_); }
  Result<cluster::Member*> require_member(uint32_t node);
  Result<std::string> refusal_of(uint32_t node, uint64_t epoch);
  bool is_outdated(uint64_t epoch) const;
  void outdate_plans();
  Status make_inactive(uint32_t node, uint64_t epoch, Counts counts);
  Status replace_frozen(uint32_t node, Counts counts);
  Status make_member(uint32_t node, const std::string& uuid);
  Result<std::vector<cluster::Supply>> insert_items(std::span<const cluster::Supply> items,
                                                    std::optional<uint32_t> brought_by);
  // Of all items but those whose bringers do not do.
  std::vector<cluster::Supply> supplies_of(
      const std::function<bool(const cluster::Member& bringer)>& does) const;
  bool may_tell(uint64_t epoch, const std::string& item) const;
  std::vector<cluster::FrozenCount> all_frozen() const;
  cluster::Supply supply_of(const std::string& item) const;

  RegistryDatabase& database_;
  RegistryRows& rows_;
  const uint32_t node_;
};

}  // namespace stampede::sim
