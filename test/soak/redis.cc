// The shared ledger's Redis killed, emptied, stopped, cut off and failed over to a replica that lags, and nodes killed meanwhile.
#include "shared_sale.h"

namespace stampede::soak {
namespace {

using servers::Data;
using servers::RedisServer;
using servers::Relay;

class Redis final : public SharedSale {
 public:
  using SharedSale::SharedSale;

 private:
  void make_trouble() override {
    switch (dice_.between(1, 7)) {
      case 1:
        return master_->restart(Data::wiped);
      case 2:
        return pause();
      case 3:
        return fail_over();
      case 4:
        return cluster_.relay(dice_.index(cluster_.size())).cut();
      case 5:
        return kill_and_start(any_node());
      case 6:
        master_->kill();
        load(50, 30);
        kill_and_start(any_node());
        return master_->restart(Data::wiped);
      case 7:
        return pause_node();
    }
  }

  void pause() {
    master_->pause();
    load(100, 500);  // shorter and longer than nodes wait for it
    master_->resume();
  }
  void pause_node() {
    e2e::Server& node = any_node();
    node.pause();
    load(100, 500);
    node.go_on();
  }
  // The replica has not heard of the newest grants.
  void fail_over() {
    Relay replication(master_->port());
    replica_->replicate(replication.port());
    replica_->await_in_sync(*master_);
    load(60, 30);
    replication.pause();
    load(60, 30);
    master_->kill();
    replica_->promote();
    cluster_.redirect(replica_->port());
    cluster_.each_relay([](Relay& relay) { relay.cut(); });
    master_->restart(Data::wiped);
    std::swap(master_, replica_);
  }
  uint16_t redis_port() override { return master_->port(); }

  RedisServer second_;
  RedisServer* master_ = &cluster_.redis();
  RedisServer* replica_ = &second_;
};

}  // namespace

std::unique_ptr<Scenario> make_redis(Report& report, Dice& dice) {
  return std::make_unique<Redis>(report, dice);
}

}  // namespace stampede::soak
