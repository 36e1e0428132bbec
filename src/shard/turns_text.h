// Turns as operators read them: the answer of GET /admin/turns, and the line of a slow turn. Pure, but for the line itself.
#pragma once

#include <string>

#include "base/clock.h"
#include "shard/turns.h"

namespace stampede::shard {

// {"shard":0,"slow_turn_us":100000,"turns":[{"turn":7,"ended_at":"…Z","requests":1,"records":2,"work_ns":9,"phases_ns":{"poll":1,…}}],
//  "slow":[…]}: the last ones, the oldest first.
[[nodiscard]] std::string turns_json(uint32_t shard, const Turns& turns, int64_t slow_turn_ns,
                                     Moment now);

// Where the time of a turn went, the longest phase first: "log 148 ms, flush 3.10 ms". What is less than a hundredth is left out.
[[nodiscard]] std::string phases_text(const Turn& turn);

// A line of the slowest of those that were slow since `told` of them were; then all are.
void tell_slow_turns(uint32_t shard, const Turns& turns, uint64_t& told, Moment now);

}  // namespace stampede::shard
