// A sale of one or two nodes that share a ledger in Redis and a PostgreSQL, and what the kinds of trouble with those have in
// common. Each node has a relay to Redis of its own.
#pragma once

#include "../e2e/harness/cluster.h"
#include "sale.h"
#include "scenario.h"

namespace stampede::soak {

class SharedSale : public Scenario {
 public:
  // `more`: further flags of every node.
  SharedSale(Report& report, Dice& dice,
             std::vector<std::pair<std::string, std::string>> more = {});

  void round() override;
  void close() override;

 protected:
  // Under load; when it returns every server runs and is reachable again.
  virtual void make_trouble() = 0;
  virtual Rows rows(const std::string& sql) { return cluster_.database().rows(sql); }
  virtual std::string database_url() { return cluster_.database_url(); }
  virtual uint16_t redis_port() { return cluster_.redis().port(); }

  e2e::Server& any_node() { return cluster_.node(dice_.index(cluster_.size())); }
  // Some more answers, or so long.
  void load(int64_t answers_max, int64_t ms_max);
  void sleep(int64_t ms_max);
  void kill_and_start(e2e::Server& node);

  Report& report_;
  Dice& dice_;
  const int64_t total_;
  e2e::Cluster cluster_;
  Sale sale_;

 private:
  std::vector<e2e::Server*> nodes();
};

}  // namespace stampede::soak
