// What a world agrees on: names, secrets, prices, addresses.
#pragma once

#include <string>
#include <string_view>

#include "cluster/redis_url.h"
#include "door/keys.h"
#include "net/address.h"
#include "plan.h"

namespace stampede::sim {

constexpr int64_t kPrice = 100;  // of one unit, in cents

// The first byte of each secret; the others are zeros.
constexpr uint8_t kPaymentSecret = 7, kTicketSecret = 8, kLinkSecret = 9, kLeakedSecret = 11,
                  kProofSecret = 12, kCodeSecret = 13;
constexpr const char* kLeakedKey = "k2";

[[nodiscard]] std::string item_code(uint32_t item);
// All members of an item in a catalog but its code and stock.
[[nodiscard]] std::string terms_members(const Plan& plan, uint32_t item, const std::string& title,
                                        int64_t pay_window_s);
[[nodiscard]] const door::Key& payment_key();
// A thief's.
[[nodiscard]] const door::Key& leaked_key();
[[nodiscard]] std::string operator_token();
// Of the wall clock.
[[nodiscard]] std::string ticket_of(std::string_view user, int64_t now_unix, bool is_forged);
// The lines by which a user says who he is.
[[nodiscard]] std::string user_header(const Plan& plan, std::string_view user, int64_t now_unix);
// As the door gives it to this user for this item.
[[nodiscard]] std::string link_for(std::string_view user, uint32_t item, int64_t now_unix);
[[nodiscard]] bool is_link_for(std::string_view link, std::string_view user, uint32_t item,
                               int64_t now_unix);
[[nodiscard]] bool is_hidden(const Plan& plan, uint32_t item);

// Some users are on the list that a node starts with, and one of the addresses that several share.
[[nodiscard]] bool is_blocked(const Plan& plan, std::string_view user);
[[nodiscard]] net::Address address_of(uint32_t person);
[[nodiscard]] bool is_blocked(const Plan& plan, const net::Address& address);
[[nodiscard]] std::string blocked_text();
// Some addresses that operators block and let in again.
constexpr const char* kOperatorsNetwork = "10.0.0.4/31";
[[nodiscard]] bool is_in_operators_network(const net::Address& address);
// A proof that this user may have the link of this item.
[[nodiscard]] std::string proof_for(std::string_view user, std::string_view item, int64_t now_unix);

// Where the ledger is that nodes share.
[[nodiscard]] cluster::RedisUrl world_redis(const Plan& plan);

}  // namespace stampede::sim
