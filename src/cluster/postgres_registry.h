// The registry in PostgreSQL, in the tables of postgres/schema.h, beside the orders.
//
// One advisory lock puts the mutations of all nodes in one line; each is a transaction that takes
// it first, so that everything it reads afterwards stays true until it ends. They are rare (a start,
// a failover, an operator), so there is nothing to gain from finer locks. The drainers never take it.
//
// Connects when it is first asked, and again after a connection broke: a connection that lay idle for
// hours may be gone, so one that breaks before anything was done in it is replaced at once.
//
// One that is no writer makes no tables: where there are none it finds nothing.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "cluster/registry.h"
#include "postgres/connection.h"

namespace stampede::cluster {

class PostgresRegistry final : public Registry {
 public:
  explicit PostgresRegistry(std::string url, const postgres::Options& options = {});

  Status enroll(uint32_t node, const std::string& uuid) override;
  Result<std::vector<Supply>> add_items(std::span<const Supply> items) override;
  Result<std::vector<Supply>> bring_items(uint32_t node, const std::string& uuid,
                                          std::span<const Supply> items) override;
  Result<std::vector<Supply>> supplies() override;
  Result<std::vector<Supply>> supplies_in(uint64_t epoch) override;
  Result<std::unordered_map<std::string, std::string>> terms(
      std::span<const std::string> items) override;
  Result<SoldCodes> codes_of(std::span<const std::string> products) override;
  Result<size_t> change_terms(std::span<const TermsChange> changes) override;
  Result<EpochPlan> begin_epoch(uint32_t node, uint64_t above) override;
  Status enter_epoch(uint32_t node, uint64_t epoch) override;
  Result<bool> may_enter(uint32_t node, uint64_t epoch) override;
  Result<std::optional<Restocked>> find_restock(const std::string& op_id) override;
  bool note_recorded(const std::string&, Units) override { return false; }
  Result<Restocked> restock(const std::string& op_id, const std::string& item, int64_t delta,
                            uint64_t epoch) override;
  Status deactivate(uint32_t node, uint64_t epoch, std::span<const FrozenCount> counts) override;
  Status presume(uint32_t node, uint64_t epoch, std::span<const FrozenCount> counts) override;
  Status retire(uint32_t node, std::span<const FrozenCount> counts) override;
  Result<std::vector<Member>> members() override;
  Result<std::vector<FrozenCount>> frozen() override;

 private:
  enum class Access : uint8_t { read, write };

  Status connect();
  Result<postgres::Transaction> begin(Access access);
  // Runs `body` in a transaction, for a mutation under the lock, and commits unless it fails.
  template <typename Value>
  Result<Value> run(Access access, const std::function<Result<Value>()>& body);

  // Within a transaction.
  Result<postgres::Rows> query(const char* sql, const postgres::Parameters& parameters = {});
  Status change(const char* sql, const postgres::Parameters& parameters);
  Result<std::optional<Member>> find_member(uint32_t node);
  Result<Member> require_member(uint32_t node);
  Result<std::optional<Supply>> find_supply(const std::string& item);
  Status make_member(uint32_t node, const std::string& uuid);
  Result<std::vector<Supply>> insert_items(std::span<const Supply> items,
                                           std::optional<uint32_t> brought_by);
  Result<std::vector<Supply>> read_supplies(const std::string& condition,
                                            const postgres::Parameters& parameters = {});
  Result<bool> may_tell(uint64_t epoch, const std::string& item);
  // This epoch counts the node, unless an earlier one does.
  Status count_from(uint32_t node, uint64_t epoch);
  Result<std::vector<Member>> read_members();
  Result<std::vector<FrozenCount>> read_frozen();
  // This transaction changes the facts that plans are made from: no member may enter an epoch with an older plan any more.
  Status outdate_plans();
  Result<bool> is_outdated(uint64_t epoch);
  Status make_inactive(uint32_t node, uint64_t epoch, std::span<const FrozenCount> counts);
  // Why the node may not enter the epoch; empty: it may.
  Result<std::string> refusal_of(uint32_t node, uint64_t epoch);
  Status set_state(uint32_t node, MemberState state);
  Status replace_frozen(uint32_t node, std::span<const FrozenCount> counts);

  std::string url_;
  postgres::Options options_;
  std::optional<postgres::Connection> connection_;
  bool has_tables_ = true;  // where it is connected
};

}  // namespace stampede::cluster
