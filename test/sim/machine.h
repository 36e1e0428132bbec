// The machine that one simulated process of a node stands on: made for one start, kept until nobody looks at its connections
// any more. Clock, database and directory are the world's and outlive it.
//
// cut(): from that moment nothing that the process does reaches anybody. The turn in which it happens goes on to its end, so
// that production code needs no place where it may die; what it does there is lost with it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "../world/fake_net.h"
#include "disk.h"
#include "node/machine.h"
#include "servers.h"

namespace stampede::sim {

// The world's clock as a machine has it: its boot time began when it was booted last.
class MachineClock final : public Clock {
 public:
  MachineClock(Clock& world, int64_t booted_ns) : world_(world), booted_ns_(booted_ns) {}
  Moment now() override {
    Moment moment = world_.now();
    moment.boot_ns -= booted_ns_;
    return moment;
  }

 private:
  Clock& world_;
  const int64_t booted_ns_;
};

class SimMachine final : public node::Machine {
 public:
  struct Boot {
    BootId id;
    int64_t ns = 0;  // when, on the world's clock
  };
  // `pass_time`: the process waits in the middle of a step; the world lets a moment pass.
  SimMachine(Servers& servers, MachineFiles& files, uint32_t node, Boot boot, Random random,
             std::function<void(std::chrono::nanoseconds)> pass_time);
  ~SimMachine() override;

  // ---- the scheduler's
  // A client at the listener of a shard, or at the operators'.
  world::FakeClient& connect(uint32_t shard);
  world::FakeClient& connect_operator();
  [[nodiscard]] world::FakeNet& net(uint32_t shard) { return *nets_[shard]; }
  // While the process is there.
  [[nodiscard]] SimDisk& disk(uint32_t shard) { return *disks_[shard]; }
  [[nodiscard]] size_t disks() const { return disks_.size(); }
  [[nodiscard]] const world::FakeNet& net(uint32_t shard) const { return *nets_[shard]; }
  // The shard's last turn found nothing and means to sleep.
  [[nodiscard]] bool is_at_rest(uint32_t shard) const {
    const world::FakeNet& net = *nets_[shard];
    return net.last_wait_ns() != 0 && net.last_events() == 0 && bells_heard_[shard] == 0;
  }
  // The power, or only the process.
  void cut() {
    is_cut_ = true;
    redis_->cut_off();
  }
  // How long its blocking calls to Redis have waited since this was last asked.
  [[nodiscard]] int64_t take_waited_ns() { return redis_->take_waited_ns(); }
  // Sockets of each shard, listeners among them; for one more an idle connection is closed.
  void limit_places(size_t most);
  // Behind the end of the process: what its clients find.
  void end_connections(bool is_silent);

  // ---- node::Machine
  Clock& clock() override { return clock_; }
  BootId boot_id() override { return boot_.id; }
  void pause(std::chrono::microseconds time) override { pass_time_(time); }
  void run_all(std::span<const std::function<void()>> tasks) override;
  std::unique_ptr<net::Net> make_net(net::DescriptorBudget&, net::Socket) override;
  Result<std::vector<net::Socket>> open_listeners(const net::Address&, unsigned count) override;
  std::unique_ptr<node::StartAnswers> answer_while_starting(const net::Address&,
                                                            const std::vector<net::Socket>&,
                                                            const Progress&) override {
    return nullptr;
  }
  Result<orderlog::DiskPlan> plan_disk(const std::string&, orderlog::Durability) override;
  Result<std::unique_ptr<orderlog::Disk>> make_disk(const orderlog::DiskPlan&) override;
  orderlog::SegmentMaker& segment_maker() override { return segment_maker_; }
  std::unique_ptr<drain::Sink> make_sink(const drain::DatabaseUrl& url) override;
  Result<std::vector<drain::StreamPosition>> look_at_positions(const drain::DatabaseUrl&) override;
  Result<std::vector<drain::KnownOrder>> look_at_outermost_orders(const drain::DatabaseUrl&,
                                                                  uint32_t node,
                                                                  size_t count_max) override;
  Result<OrderId> look_at_newest_order(const drain::DatabaseUrl&, uint32_t node) override;
  std::unique_ptr<cluster::Registry> make_registry(const drain::DatabaseUrl&) override;
  cluster::RedisAccess& redis() override { return *redis_; }

 private:
  class LentNet;

  Servers& servers_;
  MachineFiles& files_;
  const uint32_t node_;
  std::unique_ptr<NodeRedis> redis_;
  const Boot boot_;
  MachineClock clock_;
  Random random_;
  std::function<void(std::chrono::nanoseconds)> pass_time_;
  bool is_cut_ = false;
  orderlog::ZeroedSegmentMaker segment_maker_;
  // They outlive the process: its clients still look at their ends.
  std::vector<std::unique_ptr<world::FakeNet>> nets_;
  size_t places_max_ = SIZE_MAX;
  std::vector<size_t> bells_heard_;  // by the last poll of each
  std::vector<SimDisk*> disks_;      // the node's, by shard
  std::vector<net::Socket> listeners_;
  net::Socket admin_listener_ = net::kNoSocket;
  size_t nets_lent_ = 0;
};

}  // namespace stampede::sim
