#include "shard/process.h"

#include <algorithm>

namespace stampede::shard {

Process::Process(uint32_t shards, uint64_t secret)
    : shard_count(shards), orders(shards), ledger(shards), item_survey(shards), addresses(secret) {
  CHECK(shards >= 1);
  CHECK(shards <= bounds::shard_count_max);
  for (uint32_t i = 0; i < shards; ++i) {
    terms.push_back(std::make_unique<Lane<stock::ItemTerms>>(bounds::control_slots));
    doorbells.push_back(std::make_unique<net::Doorbell>());
    metrics.push_back(std::make_unique<Metrics>());
    turns.push_back(std::make_unique<Turns>());
    marks.push_back(std::make_unique<orderlog::Marks>());
    rules_taken.push_back(std::make_unique<std::atomic<uint64_t>>(0));
  }
}

uint64_t Process::publish_rules(door::Rules next) {
  rules.store(std::make_shared<const door::Rules>(std::move(next)));
  const uint64_t number = rules_number.fetch_add(1, std::memory_order_release) + 1;
  ring_all();
  return number;
}

bool Process::have_taken_rules(uint64_t number) const {
  return std::ranges::all_of(rules_taken, [&](const auto& taken) {
    return taken->load(std::memory_order_acquire) >= number;
  });
}

void Process::ring(uint64_t shards) {
  for (uint32_t shard = 0; shards != 0; ++shard, shards >>= 1)
    if (shards & 1) doorbells[shard]->ring();
}

}  // namespace stampede::shard
