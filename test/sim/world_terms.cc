#include "world_terms.h"

#include <array>

#include "door/link.h"
#include "door/proof.h"
#include "door/ticket.h"

namespace stampede::sim {

std::string item_code(uint32_t item) {
  return "item-" + std::to_string(item);
}

std::string terms_members(const Plan& plan, uint32_t item, const std::string& title,
                          int64_t pay_window_s) {
  return "\"title\":\"" + title + "\",\"price\":" + std::to_string(kPrice) +
         ",\"currency\":\"EUR\",\"per_user_limit\":" + std::to_string(plan.per_user_limit) +
         ",\"pay_window_s\":" + std::to_string(pay_window_s) +
         (is_hidden(plan, item) ? ",\"hidden_link\":true" : "");
}

namespace {

constexpr int64_t kTicketS = 24 * 3'600;
constexpr const char* kBlockedUser = "user-3";

const door::Key& ticket_key() {
  static const door::Key key("t1", door::Secret{kTicketSecret});
  return key;
}

const door::Key& link_key() {
  static const door::Key key("l1", door::Secret{kLinkSecret});
  return key;
}

}  // namespace

std::string ticket_of(std::string_view user, int64_t now_unix, bool is_forged) {
  static const door::Key other("t1", door::Secret{10});
  std::array<char, door::kTicketBytesMax> room;
  return std::string(
      door::mint_ticket(user, now_unix + kTicketS, is_forged ? other : ticket_key(), room));
}

std::string user_header(const Plan& plan, std::string_view user, int64_t now_unix) {
  if (!plan.has(Mishap::tickets)) return "X-User-Id: " + std::string(user) + "\r\n";
  return "Authorization: Bearer " + ticket_of(user, now_unix, false) + "\r\n";
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

std::string blocked_text() {
  return std::string("# by order\n\nuser ") + kBlockedUser + "\naddress 10.0.0.2\n";
}

bool is_in_operators_network(const net::Address& address) {
  return address == net::Address{.ip = {10, 0, 0, 4}} ||
         address == net::Address{.ip = {10, 0, 0, 5}};
}

std::string proof_for(std::string_view user, std::string_view item, int64_t now_unix) {
  static const door::Key key("p1", door::Secret{kProofSecret});
  std::array<char, door::kProofBytesMax> room;
  return std::string(door::mint_proof(user, item, now_unix + 60, key, room));
}

std::string operator_token() {
  return std::string(40, 'a');
}

const door::Key& payment_key() {
  static const door::Key key("k1", door::Secret{kPaymentSecret});
  return key;
}

const door::Key& leaked_key() {
  static const door::Key key(kLeakedKey, door::Secret{kLeakedSecret});
  return key;
}

cluster::RedisUrl world_redis(const Plan& plan) {
  using Kind = cluster::RedisUrl::Kind;
  return {.kind = plan.has(Mishap::groups) ? Kind::cluster : Kind::single,
          .hosts = {{"simulated", 6379}}};
}

}  // namespace stampede::sim
