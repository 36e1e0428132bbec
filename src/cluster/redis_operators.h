// What operators do with a ledger in Redis: changes of stock through the coordinator's thread, audits over the shards.
#pragma once

#include "base/check.h"
#include "cluster/coordinator.h"
#include "cluster/redis_ledger.h"

namespace stampede::cluster {

class RedisOperators final : public ledger::Operators {
 public:
  // Shard 0's ledger.
  RedisOperators(RedisLedger& ledger, Coordinator& coordinator)
      : ledger_(ledger), coordinator_(coordinator) {}

  bool is_shared() const override { return true; }
  bool has_room_for_change(ItemId) const override { return true; }
  void supply(ItemId, Units) override { CHECK(!"the supply is decided with the other nodes"); }
  void withdraw(ItemId, Units, uint32_t) override {
    CHECK(!"the supply is decided with the other nodes");
  }
  void add(std::string_view item, Units stock, uint32_t ticket) override {
    coordinator_.add(std::string(item), stock, ticket);
  }
  void restock(std::string_view item, std::string_view op_id, int64_t delta,
               uint32_t ticket) override {
    coordinator_.restock(std::string(item), std::string(op_id), delta, ticket);
  }
  void offer_terms(std::string_view item, std::string before, std::string terms) override {
    coordinator_.offer_terms({{std::string(item), std::move(before), std::move(terms)}});
  }
  bool audit(ItemId item, uint32_t ticket) override { return ledger_.audit(item, ticket); }
  std::vector<ledger::StockChange> take_changes() override { return coordinator_.take_changes(); }
  std::vector<ledger::AuditResult> take_audits() override { return ledger_.take_audits(); }

 private:
  RedisLedger& ledger_;
  Coordinator& coordinator_;
};

}  // namespace stampede::cluster
