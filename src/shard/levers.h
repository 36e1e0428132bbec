// The levers of `GET|PUT /admin/limits`: all that operators set for the whole server while it sells, as one value, so that a
// change is taken whole or not at all. They hold until the server ends; the next start goes by its flags again.
//
// Each lever is one line of the table in levers.cc: its name, how it is read and how it is shown. Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "door/limits.h"
#include "order.h"

namespace stampede::shard {

// As the flags of serve have them.
constexpr int64_t kLeaseMaxMost = 1'000'000;
constexpr int64_t kConnectionsAddressMost = 1'000'000;

struct Levers {
  Units lease_max = 0;         // 0: no units are leased ahead of demand
  uint64_t drain_lag_max = 0;  // 0: new orders are never refused for it
  door::Limits door;
  friend bool operator==(const Levers&, const Levers&) = default;
};

// How far levers may be raised.
struct LeverBounds {
  door::OrderRate order_rate_flag;        // what the start was told
  uint32_t connections_max = UINT32_MAX;  // that descriptors permit
};

// `now` with what the body names; the error names the field and what was expected.
[[nodiscard]] Result<Levers> changed_levers(const Levers& now, const LeverBounds& bounds,
                                            std::string_view body);
// Empty, or why so many connections cannot be had.
[[nodiscard]] std::string lack_of_descriptors(uint32_t connections, uint32_t connections_max);

// {"lease_max":256,"drain_lag_max":0,"rate_user":"20/1s",…}
[[nodiscard]] std::string levers_json(const Levers& levers);

// One text for each lever that differs, such as `rate_user 0 -> 20/1s`.
[[nodiscard]] std::vector<std::string> lever_changes(const Levers& before, const Levers& after);

}  // namespace stampede::shard
