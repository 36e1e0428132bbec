// The operators' side of a ledger in Redis: changes of stock through the coordinator's thread, audits over the shards.
#pragma once

#include "cluster/coordinator.h"
#include "cluster/redis_ledger.h"
#include "ledger/operators.h"

namespace stampede::cluster {

class RedisOperators final : public ledger::SharedSupply {
 public:
  // Shard 0's ledger.
  RedisOperators(RedisLedger& ledger, Coordinator& coordinator)
      : ledger_(ledger), coordinator_(coordinator) {}

  void add(std::string_view item, std::string_view product, Units stock, uint32_t ticket) override {
    coordinator_.add(std::string(item), std::string(product), stock, ticket);
  }
  void restock(std::string_view item, std::string_view op_id, int64_t delta,
               uint32_t ticket) override {
    coordinator_.restock(std::string(item), std::string(op_id), delta, ticket);
  }
  void note_recorded(std::string_view item, Units supplied) override {
    coordinator_.note_recorded(std::string(item), supplied);
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
