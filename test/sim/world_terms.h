// What every simulated node is started with: the catalog that a plan says, and the keys.
#pragma once

#include <string>
#include <vector>

#include "cluster/redis_url.h"
#include "door/keys.h"
#include "door/rules.h"
#include "net/address.h"
#include "plan.h"
#include "shard/reload.h"
#include "stock/catalog.h"

namespace stampede::sim {

constexpr int64_t kPrice = 100;  // of one unit, in cents

[[nodiscard]] std::string item_code(uint32_t item);
[[nodiscard]] std::vector<stock::CatalogEntry> world_catalog(const Plan& plan);
[[nodiscard]] const door::Key& payment_key();
[[nodiscard]] shard::SharedKeys world_keys();
// Of the wall clock.
[[nodiscard]] std::string ticket_of(std::string_view user, int64_t now_unix, bool is_forged);
// As the door gives it to this user for this item.
[[nodiscard]] std::string link_for(std::string_view user, uint32_t item, int64_t now_unix);
[[nodiscard]] bool is_link_for(std::string_view link, std::string_view user, uint32_t item,
                               int64_t now_unix);
[[nodiscard]] bool is_hidden(const Plan& plan, uint32_t item);

// Some users are on the list that a node starts with, and one of the addresses that several share.
[[nodiscard]] bool is_blocked(const Plan& plan, std::string_view user);
[[nodiscard]] net::Address address_of(uint32_t person);
[[nodiscard]] bool is_blocked(const Plan& plan, const net::Address& address);
[[nodiscard]] door::Rules world_rules(const Plan& plan);

// Where the ledger is that nodes share.
[[nodiscard]] cluster::RedisUrl world_redis(const Plan& plan);

}  // namespace stampede::sim
