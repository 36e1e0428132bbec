#include "shard/process.h"

namespace stampede::shard {

Process::Process(uint32_t shards, uint64_t secret)
    : shard_count(shards), orders(shards), ledger(shards), addresses(secret) {
  CHECK(shards >= 1);
  CHECK(shards <= bounds::shard_count_max);
  for (uint32_t i = 0; i < shards; ++i) {
    terms.push_back(std::make_unique<Lane<stock::ItemTerms>>(bounds::control_slots));
    doorbells.push_back(std::make_unique<net::Doorbell>());
    metrics.push_back(std::make_unique<Metrics>());
    marks.push_back(std::make_unique<orderlog::Marks>());
  }
}

void Process::publish_rules(door::Rules next) {
  rules.store(std::make_shared<const door::Rules>(std::move(next)));
  rules_number.fetch_add(1, std::memory_order_release);
  ring_all();
}

void Process::ring(uint64_t shards) {
  for (uint32_t shard = 0; shards != 0; ++shard, shards >>= 1)
    if (shards & 1) doorbells[shard]->ring();
}

}  // namespace stampede::shard
