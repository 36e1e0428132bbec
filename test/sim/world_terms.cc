#include "world_terms.h"

namespace stampede::sim {

std::string item_code(uint32_t item) {
  return "item-" + std::to_string(item);
}

std::vector<stock::CatalogEntry> world_catalog(const Plan& plan) {
  std::vector<stock::CatalogEntry> catalog;
  for (uint32_t i = 0; i < plan.items; ++i) {
    stock::CatalogEntry entry;
    entry.terms.code = std::string_view(item_code(i));
    entry.terms.title = std::string_view(item_code(i));
    entry.terms.price = kPrice;
    entry.terms.currency = {'E', 'U', 'R'};
    entry.terms.per_user_limit = plan.per_user_limit;
    entry.terms.pay_window_s = plan.pay_window_s;
    entry.stock = plan.stock;
    catalog.push_back(entry);
  }
  return catalog;
}

const door::Key& payment_key() {
  static const door::Key key("k1", door::Secret{7});
  return key;
}

shard::SharedKeys world_keys() {
  auto keys = std::make_shared<door::Keys>();
  keys->payments.push_back(payment_key());
  return keys;
}

cluster::RedisUrl world_redis(const Plan&) {
  return {.hosts = {{"simulated", 6379}}};
}

}  // namespace stampede::sim
