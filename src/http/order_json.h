// An order as JSON. It is what a sale renders most, so it is written in one pass into room that is known to suffice: fixed texts
// whose sizes the compiler knows, and between them what differs.
//
// Pure: no system call, no clock, no allocation, any thread.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "http/writer.h"
#include "order.h"

namespace stampede::http {

// Of one object, whatever stands in it. Its numbers and fixed texts are some 330 bytes at most.
constexpr size_t kOrderJsonBytesMax = 384 + 2 * quoted_bytes_max(bounds::user_bytes_max);
static_assert(bounds::item_code_bytes_max <= bounds::user_bytes_max);
using OrderJsonRoom = std::span<char, kOrderJsonBytesMax>;

// One object, without a line's end; the bytes written at the start of `room`. `item_code` is that of order.item.
[[nodiscard]] size_t render_order_json(const OrderView& order, std::string_view item_code,
                                       bool is_replayed, OrderJsonRoom room);

void write_order(Writer& out, const OrderView& order, std::string_view item_code,
                 bool is_replayed = false);

}  // namespace stampede::http
