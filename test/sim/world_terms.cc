#include "world_terms.h"

#include <array>

#include "base/check.h"
#include "door/link.h"
#include "door/ticket.h"

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
    entry.terms.has_hidden_link = is_hidden(plan, i);
    entry.stock = plan.stock;
    catalog.push_back(entry);
  }
  return catalog;
}

namespace {

constexpr int64_t kTicketS = 24 * 3'600;
constexpr const char* kBlockedUser = "user-3";

const door::Key& ticket_key() {
  static const door::Key key("t1", door::Secret{8});
  return key;
}

const door::Key& link_key() {
  static const door::Key key("l1", door::Secret{9});
  return key;
}

}  // namespace

std::string ticket_of(std::string_view user, int64_t now_unix, bool is_forged) {
  static const door::Key other("t1", door::Secret{10});
  std::array<char, door::kTicketBytesMax> room;
  return std::string(
      door::mint_ticket(user, now_unix + kTicketS, is_forged ? other : ticket_key(), room));
}

std::string link_for(std::string_view user, uint32_t item, int64_t now_unix) {
  std::array<char, door::kLinkBytesMax> room;
  return std::string(
      door::mint_link(user, item_code(item), door::link_expiry(now_unix), link_key(), room));
}

bool is_link_for(std::string_view link, std::string_view user, uint32_t item, int64_t now_unix) {
  return door::verify_link(link, user, item_code(item), {&link_key(), 1}, now_unix);
}

bool is_hidden(const Plan& plan, uint32_t item) {
  return plan.has(Mishap::links) && item == 0;
}

bool is_blocked(const Plan& plan, std::string_view user) {
  return plan.has(Mishap::blocks) && user == kBlockedUser;
}

net::Address address_of(uint32_t person) {
  return {.ip = {10, 0, 0, static_cast<uint8_t>(person / 2)}};
}

bool is_blocked(const Plan& plan, const net::Address& address) {
  return plan.has(Mishap::blocks) && address == net::Address{.ip = {10, 0, 0, 2}};
}

door::Rules world_rules(const Plan& plan) {
  door::Rules rules;
  rules.limits = plan.limits;
  if (!plan.has(Mishap::blocks)) return rules;
  const std::string list = std::string("user ") + kBlockedUser + "\naddress 10.0.0.2\n";
  Result<door::BlockList> parsed = door::parse_block_list(list, "blocked", 7);
  CHECK(bool(parsed));
  rules.blocked.file = std::make_shared<const door::BlockList>(std::move(*parsed));
  return rules;
}

const door::Key& payment_key() {
  static const door::Key key("k1", door::Secret{7});
  return key;
}

shard::SharedKeys world_keys() {
  auto keys = std::make_shared<door::Keys>();
  keys->payments.push_back(payment_key());
  keys->tickets.push_back(ticket_key());
  keys->links.push_back(link_key());
  return keys;
}

cluster::RedisUrl world_redis(const Plan& plan) {
  using Kind = cluster::RedisUrl::Kind;
  return {.kind = plan.has(Mishap::groups) ? Kind::cluster : Kind::single,
          .hosts = {{"simulated", 6379}}};
}

}  // namespace stampede::sim
