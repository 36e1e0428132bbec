// The ledgers of a node's shards: the books inside the process, or a Redis that several nodes share. What is of one kind
// only is known here, where the concrete ledgers are made.
#pragma once

#include <memory>
#include <vector>

#include "cluster/coordinator.h"
#include "cluster/epoch_link.h"
#include "cluster/redis_ledger.h"
#include "cluster/redis_operators.h"
#include "ledger/embedded.h"
#include "node/data.h"
#include "node/items.h"
#include "node/join.h"
#include "node/machine.h"
#include "node/settings.h"
#include "shard/server_metrics.h"
#include "shard/shard.h"

namespace stampede::node {

class Ledgers {
 public:
  virtual ~Ledgers() = default;

  // Once a shard, in their order; `net` is the shard's.
  [[nodiscard]] virtual ledger::Ledger& add(net::Net& net) = 0;
  // What the shard that was added last may know before its first exchange.
  [[nodiscard]] virtual std::vector<LedgerNews> first_news() { return {}; }

  // When all have been added.
  virtual void complete() {}
  [[nodiscard]] virtual ledger::OperatorsLink operators() = 0;
  // Any thread.
  [[nodiscard]] virtual shard::LedgerStatus status() const { return {}; }

  // Behind the shards' start, and behind their end.
  virtual void start() {}
  virtual void stop() {}
  // For an owner that has not called start(): what it does beside the shards, and how long it may wait then. take_wake(): it is
  // to be done now.
  virtual std::chrono::milliseconds step() { return std::chrono::hours(1); }
  [[nodiscard]] virtual bool take_wake() { return false; }
};

// Each shard has the books of some items; all begin with what the logs hold.
class EmbeddedLedgers final : public Ledgers {
 public:
  // The logs must not hold more than was ever supplied.
  EmbeddedLedgers(const Data& data, const ItemPlan& plan, ledger::LedgerLanes& lanes)
      : data_(data), plan_(plan), lanes_(lanes) {}

  ledger::Ledger& add(net::Net& net) override;
  std::vector<LedgerNews> first_news() override { return std::exchange(news_, {}); }
  ledger::OperatorsLink operators() override { return *ledgers_[0]; }

 private:
  const Data& data_;
  const ItemPlan& plan_;
  ledger::LedgerLanes& lanes_;
  std::vector<LedgerNews> news_;  // for the shard that was added last
  std::vector<std::unique_ptr<ledger::EmbeddedLedger>> ledgers_;
};

// One connection a shard, and the coordinator's thread.
class SharedLedgers final : public Ledgers {
 public:
  SharedLedgers(const Data& data, Join& join, const NodeSettings& settings, shard::Process& process,
                Machine& machine);

  ledger::Ledger& add(net::Net& net) override;
  void complete() override;
  ledger::OperatorsLink operators() override { return *operators_; }
  shard::LedgerStatus status() const override;
  void start() override { coordinator_->start(); }
  void stop() override { coordinator_->stop(); }
  std::chrono::milliseconds step() override { return coordinator_->step(); }
  bool take_wake() override { return coordinator_->take_wake(); }

 private:
  const Data& data_;
  Join& join_;
  const NodeSettings& settings_;
  shard::Process& process_;
  Machine& machine_;
  std::vector<std::unique_ptr<cluster::EpochLink>> links_;  // by shard, as the next
  std::vector<std::unique_ptr<cluster::RedisLedger>> ledgers_;
  std::unique_ptr<cluster::Coordinator> coordinator_;
  std::unique_ptr<cluster::RedisOperators> operators_;
};

// The book of every item as the logs have it; nullopt, with the item's code: they hold more than was ever supplied.
struct MadeBook {
  std::optional<ledger::Book> book;
  std::string oversold;
};
[[nodiscard]] MadeBook make_book(const Data& data);

}  // namespace stampede::node
