// What a node stands on: clock, sockets, disks, and the servers beside it. One seam for all that a node takes from its
// surroundings, so that the simulator can put whole nodes into a world of its own; SystemMachine is the real one.
//
// Outlives the node. What it makes belongs to the caller.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/clock.h"
#include "cluster/redis_access.h"
#include "cluster/registry.h"
#include "drain/database.h"
#include "net/descriptor_budget.h"
#include "net/net.h"
#include "node/start_answers.h"
#include "orderlog/disk.h"
#include "orderlog/segments.h"

namespace stampede::node {

class Machine {
 public:
  virtual ~Machine() = default;

  // ---- time
  virtual Clock& clock() = 0;
  // Of the clock that deadlines in the logs are counted on.
  virtual BootId boot_id() = 0;
  // The thread has nothing to do for about so long.
  virtual void pause(std::chrono::microseconds time) = 0;
  // Runs all of them, side by side if it can, and returns when each has ended.
  virtual void run_all(std::span<const std::function<void()>> tasks) = 0;

  // ---- network
  // Of one shard. `preferred`: accepts at this listener have places of their own in the budget; kNoSocket: none has.
  virtual std::unique_ptr<net::Net> make_net(net::DescriptorBudget& budget,
                                             net::Socket preferred) = 0;
  // As net::open_listeners().
  virtual Result<std::vector<net::Socket>> open_listeners(const net::Address& address,
                                                          unsigned count) = 0;

  // Answers probes of the operators' listener while the start goes on, until what it returns ends; null: nobody does. At
  // `passed`, unless they are none.
  virtual std::unique_ptr<StartAnswers> answer_while_starting(
      const net::Address& address, const std::vector<net::Socket>& passed,
      const Progress& progress) = 0;

  // ---- disk
  virtual Result<orderlog::DiskPlan> plan_disk(const std::string& directory,
                                               orderlog::Durability durability) = 0;
  virtual Result<std::unique_ptr<orderlog::Disk>> make_disk(const orderlog::DiskPlan& plan) = 0;
  virtual orderlog::SegmentMaker& segment_maker() = 0;

  // ---- database and registry; as the functions of drain/database.h
  virtual std::unique_ptr<drain::Sink> make_sink(const drain::DatabaseUrl& url) = 0;
  virtual Result<std::vector<drain::StreamPosition>> look_at_positions(
      const drain::DatabaseUrl& url) = 0;
  virtual Result<std::vector<drain::KnownOrder>> look_at_outermost_orders(
      const drain::DatabaseUrl& url, uint32_t node, size_t count_max) = 0;
  virtual Result<OrderId> look_at_newest_order(const drain::DatabaseUrl& url, uint32_t node) = 0;
  virtual std::unique_ptr<cluster::Registry> make_registry(const drain::DatabaseUrl& url) = 0;

  virtual cluster::RedisAccess& redis() = 0;
};

class SystemMachine final : public Machine {
 public:
  Clock& clock() override { return clock_; }
  BootId boot_id() override { return read_boot_id(); }
  void pause(std::chrono::microseconds time) override;
  void run_all(std::span<const std::function<void()>> tasks) override;
  std::unique_ptr<net::Net> make_net(net::DescriptorBudget& budget, net::Socket preferred) override;
  Result<std::vector<net::Socket>> open_listeners(const net::Address& address,
                                                  unsigned count) override;
  std::unique_ptr<StartAnswers> answer_while_starting(const net::Address& address,
                                                      const std::vector<net::Socket>& passed,
                                                      const Progress& progress) override;
  Result<orderlog::DiskPlan> plan_disk(const std::string& directory,
                                       orderlog::Durability durability) override;
  Result<std::unique_ptr<orderlog::Disk>> make_disk(const orderlog::DiskPlan& plan) override;
  orderlog::SegmentMaker& segment_maker() override { return segment_maker_; }
  std::unique_ptr<drain::Sink> make_sink(const drain::DatabaseUrl& url) override;
  Result<std::vector<drain::StreamPosition>> look_at_positions(
      const drain::DatabaseUrl& url) override;
  Result<std::vector<drain::KnownOrder>> look_at_outermost_orders(const drain::DatabaseUrl& url,
                                                                  uint32_t node,
                                                                  size_t count_max) override;
  Result<OrderId> look_at_newest_order(const drain::DatabaseUrl& url, uint32_t node) override;
  std::unique_ptr<cluster::Registry> make_registry(const drain::DatabaseUrl& url) override;
  cluster::RedisAccess& redis() override { return cluster::real_redis(); }

 private:
  SystemClock clock_;
  orderlog::ZeroedSegmentMaker segment_maker_;
};

// The one of this process.
[[nodiscard]] Machine& system_machine();

}  // namespace stampede::node
