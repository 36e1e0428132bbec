// What text answers of the public side share.
#pragma once

#include <string>
#include <string_view>

#include "shard/request_handler.h"

namespace stampede::shard {

// The head of an answer that clients may keep: 304 for one that has it (RFC 9110 section 13.1.2), otherwise the caller
// adds the body.
[[nodiscard]] TextAnswer cacheable(std::string_view tag, int64_t max_age_s,
                                   const http::Request& request);

// "2026-12-01T02:00:00.123Z", with its quotes.
[[nodiscard]] std::string time_json(int64_t wall_ms);

}  // namespace stampede::shard
