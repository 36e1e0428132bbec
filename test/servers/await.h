// For the state of another program, of which it sends no event: asks again and again until it is so.
#pragma once

#include <chrono>
#include <functional>

namespace stampede::servers {

// How long to wait for what must come; long, because the machine may be slow, and never waited out
// when all is well.
constexpr std::chrono::milliseconds kPatience{30'000};

// Whether `is_so` came true in time.
bool await(const std::function<bool()>& is_so, std::chrono::milliseconds patience = kPatience);

}  // namespace stampede::servers
