// What every simulated node is started with: the catalog that a plan says, and the keys.
#pragma once

#include <string>
#include <vector>

#include "cluster/redis_url.h"
#include "door/keys.h"
#include "plan.h"
#include "shard/reload.h"
#include "stock/catalog.h"

namespace stampede::sim {

constexpr int64_t kPrice = 100;  // of one unit, in cents

[[nodiscard]] std::string item_code(uint32_t item);
[[nodiscard]] std::vector<stock::CatalogEntry> world_catalog(const Plan& plan);
[[nodiscard]] const door::Key& payment_key();
[[nodiscard]] shard::SharedKeys world_keys();
// Where the ledger is that nodes share.
[[nodiscard]] cluster::RedisUrl world_redis(const Plan& plan);

}  // namespace stampede::sim
