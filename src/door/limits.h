// What the door allows: plain values, set by flags, changed live by operators (`PUT /admin/limits`).
//
// A limit of 0 is no limit. Limits are published to all shards as one value (rules.h), so that they change together and
// each shard takes them between two turns. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace stampede::door {

// At most `requests` in a fixed window of `window_ms`; 0 requests: no limit.
struct Rate {
  uint32_t requests = 0;
  uint32_t window_ms = 0;
  bool is_limited() const { return requests != 0; }
  friend bool operator==(const Rate&, const Rate&) = default;
};
// `N/T` such as `20/1s`, `100/500ms`, `300/5m`, `1000/1h`, or `0`: N from 1 to 1,000,000,000, T from 1 ms to 24 h in whole
// units of ms, s, m or h. Nothing for anything else.
[[nodiscard]] std::optional<Rate> parse_rate(std::string_view text);
// The same as text: what parse_rate() reads, in the largest unit that is exact.
[[nodiscard]] std::string text_of(const Rate& rate);

// New reservations a second on this node, of all items together.
struct OrderRate {
  uint32_t per_second = 0;  // 0: no limit
  bool is_automatic =
      false;  // what the database takes, measured; `per_second` is then not looked at
  friend bool operator==(const OrderRate&, const OrderRate&) = default;
};

// A number from 1 to 1,000,000,000, `auto` or `0`; nothing for anything else.
[[nodiscard]] std::optional<OrderRate> parse_order_rate(std::string_view text);
// Whether operators may set `wanted` while the server runs, when its start was told `flag`: at most twice as much, for a
// database that was doubled. What the start limited stays limited.
[[nodiscard]] bool may_raise(const OrderRate& flag, const OrderRate& wanted);

// What is given up to keep the rest going, from nothing to nearly everything; each level holds those before it.
enum class Degrade : uint8_t {
  none,
  no_new_users,  // new orders only of users that have ordered before
  no_polls,      // `wait_ms` is taken as 0
  static_only,   // no new orders at all; payments, cancels, own orders and items go on
};
[[nodiscard]] std::string_view name_of(
    Degrade level);  // "none", "no_new_users", "no_polls", "static"
[[nodiscard]] std::optional<Degrade> degrade_of(std::string_view name);

struct Limits {
  Rate user;                         // order requests of one user, exact at its home shard
  uint32_t open_per_user = 0;        // unpaid reservations of one user, all items
  Rate address;                      // requests of one address
  uint32_t connections_address = 0;  // of one address
  uint32_t connections = 0;          // in all, beside those kept for operators
  OrderRate order_rate;
  Degrade degrade = Degrade::none;
  friend bool operator==(const Limits&, const Limits&) = default;
};

}  // namespace stampede::door
